use super::*;

/// The plan of a request's native number.
fn of<'p>(plans: &'p Plans<'_>, request: &str) -> Option<&'p Plan> {
    let number = Registry::builtin().find(request)?.number(Arch::native())?;
    let key = PlanKey { request: number, compat: 0 };
    plans.plans().iter().find(|(other, _)| *other == key).map(|(_, plan)| plan)
}

fn steps<'p>(plans: &'p Plans<'_>, node: u32) -> &'p [Step] {
    let node = plans.nodes()[node as usize];
    &plans.steps()[node.first as usize..][..node.steps as usize]
}

fn compiled() -> Plans<'static> {
    let mut plans = Plans::new(Registry::builtin());
    plans.compile(false);
    plans
}

#[test]
fn everything_that_is_named_exists() {
    let mut plans = compiled();
    let natives = (plans.nodes().to_vec(), plans.steps().to_vec(), plans.choices().to_vec());
    plans.compile(true);
    // The maps have room for as much again, and what is there stays.
    assert!(plans.nodes().starts_with(&natives.0) && plans.nodes().len() <= 2 * natives.0.len());
    assert!(plans.steps().starts_with(&natives.1) && plans.steps().len() <= 2 * natives.1.len());
    assert!(plans.choices().starts_with(&natives.2) && plans.choices().len() <= 2 * natives.2.len());
    assert_eq!(steps(&plans, NO_NODE), []);
    let exists = |node: u32| (node as usize) < plans.nodes().len();
    assert!(plans.plans().iter().all(|(_, plan)| exists(plan.node) && plan.on_success & !plan.dir == 0));
    assert!((0..).zip(plans.nodes()).all(|(place, node)| steps(&plans, place).len() == node.steps as usize));
    let tables: std::collections::HashSet<u32> = plans.choices().iter().map(|(key, _)| key.table).collect();
    for step in plans.steps() {
        assert!(
            exists(step.node) && (step.table == 0 || step.otherwise != 0 || tables.contains(&step.table)),
            "{step:?}"
        );
        assert!(
            matches!(step.pointer, 0 | 4 | 8) && matches!(step.length_width, 0 | 1 | 2 | 4 | 8),
            "{step:?}"
        );
    }
    assert!(plans.choices().iter().all(|(_, choice)| exists(choice.node)));
    assert!(plans.plans().iter().all(|(key, plan)| *plan != Plan::of_number(key.request)));
}

#[test]
fn plans_say_what_numbers_do_not() {
    let plans = compiled();
    let get = *of(&plans, "TCGETS").expect("a plan");
    assert_eq!((get.size, get.node, get.dir, get.on_success), (36, NO_NODE, PLAN_OUT, PLAN_OUT));
    assert_eq!(of(&plans, "TIOCGPTN"), None);
    let messages = of(&plans, "I2C_RDWR").expect("a plan");
    let [list] = steps(&plans, messages.node) else { panic!("one pointer: {messages:?}") };
    assert_eq!((list.offset, list.pointer, list.length_offset, list.unit), (0, 8, 8, 16));
    let [bytes] = steps(&plans, list.node) else { panic!("one pointer: {list:?}") };
    assert_eq!((bytes.offset, bytes.length_offset, bytes.length_width, bytes.unit), (8, 4, 2, 1));
    assert_eq!((bytes.dir, bytes.otherwise), (PLAN_IN | PLAN_OUT, PLAN_IN));
    assert_eq!(of(&plans, "KVM_CREATE_VM").map(|plan| plan.result_is_fd), Some(1));
}

#[test]
fn an_argument_may_be_an_address_itself() {
    let plans = compiled();
    let reap = of(&plans, "USBDEVFS_REAPURB").expect("a plan");
    let [urb] = steps(&plans, reap.node) else { panic!("one pointer: {reap:?}") };
    assert_eq!((urb.offset, urb.pointer, urb.unit, urb.dir & PLAN_OUT), (0, 8, 56, PLAN_OUT));
    assert!(steps(&plans, urb.node).iter().any(|buffer| buffer.offset == 16 && buffer.length_offset == 24));
}
