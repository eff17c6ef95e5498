//! On a clock of the test's own: whatever the generator's loop is doing, what
//! comes due is what was to come due.

use proptest::prelude::*;

use super::*;
use crate::closed::ThinkTime;
use crate::draw::Draws;

const START: Mono = Mono::from_nanos(1_000_000_000);

/// What a loop starts that looks at the clock at `now`: as the engine does it.
fn started(coming: &mut Coming, next: &mut Option<Due>, now: Mono) -> Vec<Due> {
    let mut started = Vec::new();
    loop {
        if next.is_none() {
            *next = coming.next();
        }
        match next.take_if(|due| due.at <= now) {
            Some(due) => started.push(due),
            None => return started,
        }
    }
}

proptest! {
    /// A generator that oversleeps, however long, skips and moves nothing.
    #[test]
    fn an_open_loop_that_oversleeps_starts_its_schedule_all_the_same(
        rate in 1.0..5_000.0_f64,
        millis in 1_u64..2_000,
        pauses in prop::collection::vec(0_u64..700_000_000, 1..40),
    ) {
        let schedule = Schedule::constant(rate, Duration::from_millis(millis)).unwrap();
        let expected: Vec<_> = schedule.from(START).collect();
        let mut coming = Coming::begin(&Arrivals::Open(schedule), START);
        let (mut now, mut next, mut all) = (START, None, Vec::new());
        for pause in pauses.iter().cycle() {
            let due = started(&mut coming, &mut next, now);
            // Nothing ahead of its time.
            prop_assert!(due.iter().all(|due| due.at <= now && due.client.is_none()));
            all.extend(due.iter().map(|due| (due.index, due.at)));
            if next.is_none() {
                break;
            }
            now = now.plus(Duration::from_nanos(*pause + 1));
        }
        prop_assert_eq!(all, expected);
    }

    /// A closed loop: each client has one operation in flight at most, and the
    /// next one is due when it has thought, however late the loop looks.
    #[test]
    fn a_closed_loop_is_due_an_answer_and_a_thought_later(
        clients in 1_u32..8,
        operations in 1_u64..60,
        think in 0_u64..50_000_000,
        pauses in prop::collection::vec((0_u64..100_000_000, 0_usize..8), 1..40),
    ) {
        let think = Duration::from_nanos(think);
        let closed = Closed {
            clients: NonZeroU32::new(clients).unwrap(),
            think: ThinkTime::Fixed(think),
            until: Until::Operations(operations),
            draws: Draws::new(1, "think"),
        };
        let mut coming = Coming::begin(&Arrivals::closed(closed), START);
        let mut ready = vec![Some(START.plus(think)); usize::try_from(clients).unwrap()];
        let (mut now, mut next, mut flying, mut indices) = (START, None, Vec::new(), Vec::new());
        for (pause, answers) in pauses.iter().cycle() {
            for due in started(&mut coming, &mut next, now) {
                let client = due.client.unwrap();
                let its = ready[usize::try_from(client).unwrap()].take();
                prop_assert_eq!(its, Some(due.at), "in flight, or at another time");
                flying.push(client);
                indices.push(due.index);
            }
            if flying.is_empty() && next.is_none() && coming.is_over() {
                break;
            }
            now = now.plus(Duration::from_nanos(*pause + 1));
            for client in flying.drain(..(*answers).min(flying.len())).collect::<Vec<_>>() {
                coming.ended(Some(client), now);
                ready[usize::try_from(client).unwrap()] = Some(now.plus(think));
            }
            if *answers == 0 && pauses.iter().all(|(_, answers)| *answers == 0) {
                // Nobody ever answers: no more than one for each client.
                prop_assert!(indices.len() <= usize::try_from(clients).unwrap());
                return Ok(());
            }
        }
        prop_assert_eq!(indices, Vec::from_iter(0..operations));
    }
}
