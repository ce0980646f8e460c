//! How far a product has come with its plan.

use campanile_model::{NotificationId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{MAX_RUNGS, Plan, Planned, Rung};

/// Bytes of a [`Progress`] as JSON, at most, where each rung was told by one notification and the plan was
/// never [adjusted](Progress::adjust): it is kept with each product. The default ladder takes at most 320.
pub const MAX_PROGRESS_BYTES: usize = 2_048;

/// How far a product has come with its plan: what is pending, and what became of the rest. Each rung of a
/// plan is in one of four lists.
///
/// The plan has a version, so (product, version, rung) names one notification for ever. What is pending is
/// kept as instants: later changes of ladder, zone or zone rules touch it only by [`Self::replan`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub struct Progress {
    version: u32,
    ends_at: Timestamp,
    pending: Vec<Planned>,
    fired: Vec<Fired>,
    skipped: Vec<Rung>,
    collapsed: Vec<Rung>,
}

/// A rung that is due, of one version of the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// The plan's version.
    pub version: u32,
    /// What is to be told.
    pub rung: Rung,
    /// When it was due: now, or before if nobody looked.
    pub at: Timestamp,
}

/// A rung that was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Fired {
    /// What was told.
    pub rung: Rung,
    /// When it was due.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The notifications that told it: one for each rule that made one; none, if nobody was to be told.
    #[schema(value_type = Vec<String>)]
    pub notifications: Vec<NotificationId>,
}

impl Progress {
    /// The first version of a plan, 1, made at `now`. Rungs at `now` or before are skipped, for their time was
    /// before the plan's; but `expired` is pending even then, and so due at once.
    pub fn start(plan: &Plan, now: Timestamp) -> Self {
        let of_use = |planned: &&Planned| planned.at > now || planned.rung == Rung::Expired;
        Self {
            version: 1,
            ends_at: plan.ends_at,
            pending: plan.rungs.iter().filter(of_use).copied().collect(),
            fired: Vec::new(),
            skipped: plan.rungs.iter().filter(|p| !of_use(p)).map(|p| p.rung).collect(),
            collapsed: Vec::new(),
        }
    }

    /// Puts `plan` in the place of the old one, as [`Self::start`] would, with the next version. Nothing of
    /// the old plan stays pending; returns what it told, so that what is unread of it can be resolved.
    ///
    /// An end in the past is told again: do this only where the date, the ladder or the zone is another.
    #[must_use = "what the old plan told is to be resolved"]
    pub fn replan(&mut self, plan: &Plan, now: Timestamp) -> Vec<NotificationId> {
        // Each version was a write of its own: there are not enough of them to reach the end.
        let version = self.version.saturating_add(1);
        let told = self.remove();
        *self = Self { version, ..Self::start(plan, now) };
        told
    }

    /// Puts `plan` in the place of the old one, with the next version, where the product still ends on the same
    /// date, but by another calendar or ladder: what was told stays told, and is not told again. What was
    /// pending stays so even if its time has passed by the new plan; what is new to it is skipped then.
    ///
    /// `false`, and nothing changes, if the same is pending for the same instants.
    #[must_use = "true says that it is to be kept"]
    pub fn adjust(&mut self, plan: &Plan, now: Timestamp) -> bool {
        let was_pending = |rung| self.pending.iter().any(|planned| planned.rung == rung);
        let is_told = |rung| self.collapsed.contains(&rung) || self.fired.iter().any(|f| f.rung == rung);
        let untold = plan.rungs.iter().filter(|planned| !is_told(planned.rung));
        let over = is_told(Rung::Expired);
        let (pending, skipped): (Vec<_>, Vec<_>) = untold.partition(|planned| {
            let of_use = planned.at > now || planned.rung == Rung::Expired || was_pending(planned.rung);
            of_use && !over
        });
        if (plan.ends_at, &pending) == (self.ends_at, &self.pending) {
            return false;
        }
        self.version = self.version.saturating_add(1);
        self.ends_at = plan.ends_at;
        self.skipped = skipped.into_iter().map(|planned| planned.rung).collect();
        self.pending = pending;
        true
    }

    /// The product is gone: nothing stays pending. Returns what was told, once; the version stays, so a later
    /// [`Self::replan`] gives the next.
    #[must_use = "what was told is to be resolved"]
    pub fn remove(&mut self) -> Vec<NotificationId> {
        self.pending.clear();
        std::mem::take(&mut self.fired).into_iter().flat_map(|fired| fired.notifications).collect()
    }

    /// When to look again: the earliest pending instant, which may have passed. `None`: never.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.pending.iter().map(|planned| planned.at).min()
    }

    /// What is to be told at `now`: of what is pending at `now` or before, the newest, as the older ones say
    /// nothing that it does not. Changes nothing: [`Self::fire`] does.
    pub fn due(&self, now: Timestamp) -> Option<Due> {
        let passed = self.pending.iter().filter(|planned| planned.at <= now);
        let newest = passed.max_by_key(|planned| planned.at)?;
        Some(Due { version: self.version, rung: newest.rung, at: newest.at })
    }

    /// Records that `due` was told by `notifications`, which are none where no rule made one; what was pending
    /// before it has collapsed into it.
    ///
    /// `false`, and nothing changes, if it is not pending: it was told already, or the plan is another. The
    /// notifications must not be committed then.
    #[must_use = "false says that nothing may be told"]
    pub fn fire(&mut self, due: Due, notifications: Vec<NotificationId>) -> bool {
        let Due { version, rung, at } = due;
        if version != self.version || !self.pending.contains(&Planned { rung, at }) {
            return false;
        }
        let older = self.pending.iter().filter(|planned| planned.at < at);
        self.collapsed.extend(older.map(|planned| planned.rung));
        self.pending.retain(|planned| planned.at > at);
        self.fired.push(Fired { rung, at, notifications });
        true
    }

    /// Records that `rung`, the last that was told, was told by `notifications` besides.
    ///
    /// `false`, and nothing changes, if it is another: what a later rung has said holds instead. The notifications must not be
    /// committed then.
    #[must_use = "false says that nothing may be told"]
    pub fn fire_again(&mut self, rung: Rung, notifications: &[NotificationId]) -> bool {
        let Some(fired) = self.fired.last_mut().filter(|fired| fired.rung == rung) else { return false };
        fired.notifications.extend(notifications);
        true
    }

    /// Which plan this is, from 1.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The first instant at which the product is over, as planned.
    pub fn ends_at(&self) -> Timestamp {
        self.ends_at
    }

    /// What is still to be told, ascending.
    pub fn pending(&self) -> &[Planned] {
        &self.pending
    }

    /// What this plan has told, ascending.
    pub fn fired(&self) -> &[Fired] {
        &self.fired
    }

    /// What had passed when the plan was made.
    pub fn skipped(&self) -> &[Rung] {
        &self.skipped
    }

    /// What nobody looked at in time, and a later rung said instead.
    pub fn collapsed(&self) -> &[Rung] {
        &self.collapsed
    }
}

/// [`Progress`] as it is kept: instants are milliseconds, and what is empty is absent.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Stored {
    version: u32,
    ends_at: i64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pending: Vec<(Rung, i64)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    fired: Vec<(Rung, i64, Vec<NotificationId>)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    skipped: Vec<Rung>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    collapsed: Vec<Rung>,
}

impl From<Progress> for Stored {
    fn from(progress: Progress) -> Self {
        let Progress { version, ends_at, pending, fired, skipped, collapsed } = progress;
        let fired = fired.into_iter().map(|f| (f.rung, f.at.as_millis(), f.notifications));
        Self {
            version,
            ends_at: ends_at.as_millis(),
            pending: pending.into_iter().map(|p| (p.rung, p.at.as_millis())).collect(),
            fired: fired.collect(),
            skipped,
            collapsed,
        }
    }
}

impl From<Stored> for Progress {
    fn from(stored: Stored) -> Self {
        let Stored { version, ends_at, pending, fired, skipped, collapsed } = stored;
        let at = Timestamp::from_millis;
        let fired = fired.into_iter();
        Self {
            version,
            ends_at: at(ends_at),
            pending: pending.into_iter().map(|(rung, ms)| Planned { rung, at: at(ms) }).collect(),
            fired: fired.map(|(rung, ms, notifications)| Fired { rung, at: at(ms), notifications }).collect(),
            skipped,
            collapsed,
        }
    }
}

// A rung told takes the most: `["87600h",-62135596800000,["<36>"]],`.
const _: () = assert!((MAX_RUNGS + 1) * 70 + 256 <= MAX_PROGRESS_BYTES);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ExpiryDate, Ladder, TimeOfDay, Zone, plan};

    fn id(n: u128) -> NotificationId {
        NotificationId(uuid::Uuid::from_u128(n))
    }

    fn ids(n: u128) -> Vec<NotificationId> {
        vec![id(n)]
    }

    fn at(text: &str) -> Timestamp {
        serde_json::from_str(&format!("\"{text}\"")).unwrap()
    }

    fn plan_of(date: &str) -> Plan {
        plan(&ExpiryDate::parse(date).unwrap(), &Ladder::default(), &Zone::default())
    }

    fn rungs(rungs: &[Rung]) -> String {
        rungs.iter().map(Rung::to_string).collect::<Vec<_>>().join(" ")
    }

    fn pending(progress: &Progress) -> String {
        rungs(&progress.pending().iter().map(|p| p.rung).collect::<Vec<_>>())
    }

    #[test]
    fn only_the_last_rung_is_told_again() {
        let mut progress = Progress::start(&plan_of("2026-01-31"), at("2026-01-01T00:00:00Z"));
        for (time, n) in [("2026-01-24T09:00:00Z", 1), ("2026-01-29T09:00:00Z", 2)] {
            let due = progress.due(at(time)).unwrap();
            assert!(progress.fire(due, ids(n)));
        }
        let (older, last) = (progress.fired()[0].rung, progress.fired()[1].rung);
        assert!(!progress.fire_again(older, &ids(3)) && progress.fire_again(last, &ids(4)));
        assert_eq!(progress.fired()[1].notifications, [id(2), id(4)]);
        let _told = progress.remove();
        assert!(!progress.fire_again(last, &ids(5)) && progress.fired().is_empty());
    }

    #[test]
    fn what_has_passed_is_skipped_at_the_start() {
        // Exactly at the instant of `7d`: that rung's time is over.
        let progress = Progress::start(&plan_of("2026-01-31"), at("2026-01-24T09:00:00Z"));
        assert_eq!((rungs(progress.skipped()), pending(&progress)), ("7d".into(), "2d 0d expired".into()));
        assert_eq!(progress.next_due(), Some(at("2026-01-29T09:00:00Z")));
        assert_eq!(progress.due(at("2026-01-29T08:59:59.999Z")), None);
    }

    #[test]
    fn an_end_in_the_past_is_due_at_once() {
        let now = at("2026-03-01T00:00:00Z");
        let progress = Progress::start(&plan_of("2026-01-31"), now);
        let due = progress.due(now).unwrap();
        assert_eq!((due.rung, due.at), (Rung::Expired, at("2026-02-01T00:00:00Z")));
        assert_eq!(progress.next_due(), Some(due.at));
    }

    #[test]
    fn what_was_missed_collapses_into_the_newest() {
        let mut progress = Progress::start(&plan_of("2026-01-31"), at("2026-01-01T00:00:00Z"));
        let due = progress.due(at("2026-01-30T00:00:00Z")).unwrap();
        assert_eq!((due.version, due.rung), (1, Rung::Days(2)));
        assert!(progress.fire(due, ids(1)));
        assert_eq!((rungs(progress.collapsed()), pending(&progress)), ("7d".into(), "0d expired".into()));
        assert_eq!(progress.fired(), [Fired { rung: due.rung, at: due.at, notifications: ids(1) }]);
        assert_eq!(progress.due(at("2026-01-30T00:00:00Z")), None);
        assert!(!progress.fire(due, ids(2)), "each rung once");
        assert_eq!(progress.fired().len(), 1);
    }

    #[test]
    fn another_plan_hands_back_what_the_old_one_told() {
        let now = at("2026-01-30T00:00:00Z");
        let mut progress = Progress::start(&plan_of("2026-01-31"), at("2026-01-01T00:00:00Z"));
        let due = progress.due(now).unwrap();
        assert!(progress.fire(due, ids(1)));
        let stale = progress.due(at("2026-01-31T10:00:00Z")).unwrap();

        assert_eq!(progress.replan(&plan_of("2026-02-03"), now), [id(1)]);
        assert_eq!((progress.version(), progress.ends_at()), (2, at("2026-02-04T00:00:00Z")));
        assert_eq!((rungs(progress.skipped()), pending(&progress)), ("7d".into(), "2d 0d expired".into()));
        assert!(progress.fired().is_empty() && progress.collapsed().is_empty());
        assert!(!progress.fire(stale, ids(2)), "the plan is another");

        // Even where the other plan has the same rung at the same instant.
        let stale = progress.due(at("2026-02-03T10:00:00Z")).unwrap();
        assert_eq!(progress.replan(&plan_of("2026-02-03"), now), []);
        assert!(progress.pending().contains(&Planned { rung: stale.rung, at: stale.at }));
        assert!(!progress.fire(stale, ids(2)), "the plan has another version");
    }

    #[test]
    fn another_calendar_tells_nothing_twice() {
        let date = ExpiryDate::parse("2026-01-31").unwrap();
        let plan_in = |zone| plan(&date, &Ladder::default(), &Zone::parse(zone).unwrap());
        let mut progress = Progress::start(&plan_in("UTC"), at("2026-01-01T00:00:00Z"));
        let now = at("2026-01-24T09:00:00Z");
        assert!(!progress.adjust(&plan_in("UTC"), now), "due or not, the same is pending");
        assert!(progress.fire(progress.due(now).unwrap(), ids(1)));
        assert!(!progress.adjust(&plan_in("UTC"), now));

        // 09:00 in New York is still to come on that day, but the week was announced.
        assert!(progress.adjust(&plan_in("America/New_York"), now));
        assert_eq!((progress.version(), pending(&progress)), (2, "2d 0d expired".into()));
        assert_eq!(progress.next_due(), Some(at("2026-01-29T14:00:00Z")));
        assert_eq!(progress.fired().len(), 1);

        // By this calendar its time has passed, but nobody was told.
        let now = at("2026-01-29T08:30:00Z");
        assert!(progress.adjust(&plan_in("Europe/Berlin"), now));
        assert_eq!(progress.due(now).unwrap().rung, Rung::Days(2));
        assert!(progress.fire(progress.due(now).unwrap(), vec![]));

        // A rung that the ladder had not is new: it is skipped once its time has passed.
        let ladder = Ladder::new(vec![Rung::Days(30), Rung::Hours(1)], true, TimeOfDay::default()).unwrap();
        assert!(progress.adjust(&plan(&date, &ladder, &Zone::default()), now));
        assert_eq!((rungs(progress.skipped()), pending(&progress)), ("30d".into(), "1h expired".into()));

        let end = at("2026-02-01T00:00:00Z");
        assert!(progress.fire(progress.due(end).unwrap(), ids(2)));
        assert!(progress.adjust(&plan_in("America/New_York"), end), "it ends later");
        assert_eq!(progress.next_due(), None, "what is over stays over");
        assert_eq!(progress.remove(), [id(1), id(2)]);
    }

    #[test]
    fn what_is_removed_tells_nothing_more() {
        let mut progress = Progress::start(&plan_of("2026-01-31"), at("2026-01-01T00:00:00Z"));
        let due = progress.due(at("2026-01-24T09:00:00Z")).unwrap();
        assert!(progress.fire(due, ids(1)));
        let stale = progress.due(at("2026-01-31T10:00:00Z")).unwrap();
        assert_eq!(progress.remove(), [id(1)]);
        assert_eq!(progress.remove(), []);
        assert_eq!((progress.next_due(), progress.due(at("2030-01-01T00:00:00Z"))), (None, None));
        assert!(!progress.fire(stale, ids(2)));
        assert_eq!(progress.replan(&plan_of("2027-01-31"), at("2026-02-01T00:00:00Z")), []);
        assert_eq!((progress.version(), pending(&progress)), (2, "7d 2d 0d expired".into()));
    }

    #[test]
    fn kept_in_few_bytes() {
        let start = at("0001-01-01T00:00:00Z");
        let size = |ladder: &Ladder, date: &str| {
            let plan = plan(&ExpiryDate::parse(date).unwrap(), ladder, &Zone::default());
            let mut progress = Progress::start(&plan, start);
            progress.version = u32::MAX;
            let mut largest = 0;
            loop {
                let json = serde_json::to_string(&progress).unwrap();
                assert_eq!(serde_json::from_str::<Progress>(&json).unwrap(), progress);
                largest = largest.max(json.len());
                let Some(next) = progress.next_due() else { break largest };
                let due = progress.due(next).unwrap();
                assert!(progress.fire(due, ids(u128::MAX)));
            }
        };
        let usual = size(&Ladder::default(), "2026-01-31");
        assert!(usual <= 320, "{usual}");
        let hours = (0..20).map(|n| Rung::Hours(crate::MAX_HOURS - n)).collect();
        let longest = size(&Ladder::new(hours, true, TimeOfDay::default()).unwrap(), "9000-01-31");
        assert!(longest > 1_000 && longest <= MAX_PROGRESS_BYTES, "{longest}");
    }

    #[test]
    fn the_kept_form() {
        let mut progress = Progress::start(&plan_of("2026-01-31"), at("2026-01-25T00:00:00Z"));
        let due = progress.due(at("2026-01-31T10:00:00Z")).unwrap();
        assert!(progress.fire(due, ids(0)));
        assert_eq!(
            serde_json::to_string(&progress).unwrap(),
            r#"{"version":1,"endsAt":1769904000000,"pending":[["expired",1769904000000]],"fired":[["0d",1769850000000,["00000000-0000-0000-0000-000000000000"]]],"skipped":["7d"],"collapsed":["2d"]}"#
        );
    }
}
