use super::*;

#[test]
fn figures() {
    let begin = std::time::Instant::now();
    let plans = compile(Registry::builtin());
    println!(
        "{:?} plans {} nodes {} steps {} choices {}",
        begin.elapsed(),
        plans.plans.len(),
        plans.nodes.len(),
        plans.steps.len(),
        plans.choices.len()
    );
}
