//! A clock steps through plans, and a model that knows only "which rungs lie between two ticks" says what
//! must have been told.

use std::collections::HashSet;

use campanile_expiry::{Due, ExpiryDate, Ladder, Plan, Planned, Progress, Rung, TimeOfDay, Zone, plan};
use campanile_model::{NotificationId, Timestamp};
use proptest::prelude::*;
use uuid::Uuid;

use crate::plans::rungs;

const HOUR: i64 = 3_600_000;
/// 2026-03-01T00:00:00Z: the change to summer time lies inside what is planned.
const START: i64 = 1_772_323_200_000;

/// What somebody does to a product.
#[derive(Debug, Clone)]
enum Step {
    /// Lets this many milliseconds pass, and looks what is due.
    Pass(i64),
    /// Gives it another date, days from the start.
    Replan(i64, Vec<Rung>, bool),
    /// Takes it away.
    Remove,
    /// Restarts: what is kept is all that is known.
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1_i64..20 * 24 * HOUR).prop_map(Step::Pass),
        6 => (1_i64..12 * HOUR).prop_map(Step::Pass),
        2 => (-20_i64..90, rungs(), any::<bool>()).prop_map(|(d, r, e)| Step::Replan(d, r, e)),
        1 => Just(Step::Remove),
        2 => Just(Step::Restart),
    ]
}

fn plan_of(day: i64, rungs: &[Rung], expired: bool) -> Plan {
    let date = (jiff::civil::date(2026, 3, 1) + jiff::Span::new().days(day)).to_string();
    let ladder = Ladder::new(rungs.to_vec(), expired, TimeOfDay::default()).unwrap();
    plan(&ExpiryDate::parse(&date).unwrap(), &ladder, &Zone::parse("Europe/Berlin").unwrap())
}

/// The model: the whole plan, when it was made, when somebody looked last.
struct Model {
    version: u32,
    plan: Plan,
    made: i64,
    looked: Option<i64>,
    told: Vec<NotificationId>,
    removed: bool,
}

impl Model {
    fn new(version: u32, plan: Plan, made: i64) -> Self {
        Self { version, plan, made, looked: None, told: Vec::new(), removed: false }
    }

    /// What must be told at `now`: the newest rung since somebody looked.
    fn tell(&mut self, now: i64) -> Option<(u32, Rung)> {
        let looked = self.looked.replace(now);
        if self.removed {
            return None;
        }
        let lies_between = |p: &&Planned| {
            let at = p.at.as_millis();
            let after = at > looked.unwrap_or(self.made);
            let at_once = looked.is_none() && p.rung == Rung::Expired;
            at <= now && (after || at_once)
        };
        self.plan.rungs.iter().rfind(lies_between).map(|p| (self.version, p.rung))
    }
}

fn look(progress: &mut Progress, now: i64, told: &mut Vec<(u32, Rung)>) -> Option<(Due, NotificationId)> {
    let now = Timestamp::from_millis(now);
    let due = progress.due(now)?;
    assert!(due.at <= now && progress.next_due().unwrap() <= due.at);
    told.push((due.version, due.rung));
    let id = NotificationId(Uuid::from_u128(told.len() as u128));
    assert!(progress.fire(due, vec![id]));
    assert!(!progress.fire(due, vec![id]), "once");
    assert_eq!(progress.due(now), None, "one look tells one thing");
    assert!(progress.next_due().is_none_or(|next| next > now));
    Some((due, id))
}

/// Each rung of the plan is in exactly one list.
fn accounted_for(progress: &Progress, plan: &Plan) {
    let lists = progress.pending().iter().map(|p| p.rung).chain(progress.fired().iter().map(|f| f.rung));
    let mut rungs: Vec<_> =
        lists.chain(progress.skipped().iter().chain(progress.collapsed()).copied()).collect();
    rungs.sort();
    let mut planned: Vec<_> = plan.rungs.iter().map(|p| p.rung).collect();
    planned.sort();
    assert_eq!(rungs, planned);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn as_the_model_says(
        first in (-20_i64..90, rungs(), any::<bool>()),
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut now = START;
        let mut told = Vec::new();
        let first = plan_of(first.0, &first.1, first.2);
        let mut progress = Progress::start(&first, Timestamp::from_millis(now));
        let mut model = Model::new(1, first, now);
        for step in steps {
            match step {
                Step::Pass(millis) => {
                    now += millis;
                    let expected = model.tell(now);
                    let got = look(&mut progress, now, &mut told);
                    prop_assert_eq!(got.map(|(due, _)| (due.version, due.rung)), expected);
                    model.told.extend(got.map(|(_, id)| id));
                }
                Step::Replan(day, rungs, expired) => {
                    let plan = plan_of(day, &rungs, expired);
                    let instant = Timestamp::from_millis(now);
                    prop_assert_eq!(progress.replan(&plan, instant), std::mem::take(&mut model.told));
                    let early = |p: &Planned| p.at <= instant && p.rung != Rung::Expired;
                    prop_assert!(!progress.pending().iter().any(early));
                    model = Model::new(model.version + 1, plan, now);
                    prop_assert_eq!(progress.version(), model.version);
                }
                Step::Remove => {
                    prop_assert_eq!(progress.remove(), std::mem::take(&mut model.told));
                    prop_assert_eq!(progress.next_due(), None);
                    model.removed = true;
                }
                Step::Restart => {
                    let kept = serde_json::to_vec(&progress).unwrap();
                    prop_assert!(kept.len() <= campanile_expiry::MAX_PROGRESS_BYTES);
                    progress = serde_json::from_slice(&kept).unwrap();
                }
            }
            if !model.removed {
                accounted_for(&progress, &model.plan);
            }
        }
        let once: HashSet<_> = told.iter().collect();
        prop_assert_eq!(once.len(), told.len(), "each rung of a version at most once");
    }

    #[test]
    fn small_steps_tell_everything(day in -20_i64..90, rungs in rungs(), expired in any::<bool>()) {
        let plan = plan_of(day, &rungs, expired);
        let mut progress = Progress::start(&plan, Timestamp::from_millis(START));
        let mut told = Vec::new();
        // Every rung lies on a full hour in Berlin, so no two lie between two ticks of an hour.
        let mut now = START;
        while progress.next_due().is_some() {
            look(&mut progress, now, &mut told);
            now += HOUR;
            prop_assert!(now < START + 120 * 24 * HOUR);
        }
        let expected = plan.rungs.iter().filter(|p| p.at.as_millis() > START || p.rung == Rung::Expired);
        prop_assert_eq!(told, expected.map(|p| (1, p.rung)).collect::<Vec<_>>());
    }

    #[test]
    fn who_follows_next_due_is_never_late(day in -20_i64..90, rungs in rungs(), expired in any::<bool>()) {
        let plan = plan_of(day, &rungs, expired);
        let mut progress = Progress::start(&plan, Timestamp::from_millis(START));
        let mut told = Vec::new();
        while let Some(next) = progress.next_due() {
            let (due, _) = look(&mut progress, next.as_millis(), &mut told).unwrap();
            prop_assert_eq!(due.at, next);
        }
        prop_assert!(progress.collapsed().is_empty());
        accounted_for(&progress, &plan);
    }
}
