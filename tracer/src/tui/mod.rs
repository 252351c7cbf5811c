//! x
use crate::session::*;
/// x
pub fn run(plan: Plan, stop: Stop) -> Result<Report, SessionError> {
    session::run(plan, &stop)
}
use crate::session;
