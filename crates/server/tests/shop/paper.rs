//! The shop on paper: what is on its shelves, and what is to be told of it.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{ToSpan, Zoned};

use super::{CHANGES, SALES, START};
use crate::shelf::instant;

/// Each product has one of them.
pub const OWNERS: usize = 10;

/// What is told: product, rung, instant.
pub type Told = (String, String, i64);

/// When a product ends: on a day in Berlin, or at an hour of it in UTC.
#[derive(Clone, Copy)]
pub struct End {
    day: Date,
    hour: Option<i8>,
}

pub struct Item {
    /// Since when, and until when it lasts from then on.
    plans: Vec<(i64, End)>,
    /// Since when it is gone.
    sold: Option<i64>,
}

/// The shop on paper.
pub struct Paper {
    pub items: Vec<Item>,
    random: u64,
}

impl End {
    fn text(self) -> String {
        match self.hour {
            None => self.day.to_string(),
            Some(hour) => format!("{}T{hour:02}:00:00Z", self.day),
        }
    }

    /// Each rung with its instant.
    fn rungs(self) -> Vec<(&'static str, i64)> {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let millis = |zoned: Zoned| zoned.timestamp().as_millisecond();
        let days = [("7d", 7), ("2d", 2), ("0d", 0)];
        match self.hour {
            None => {
                let at = |day: Date, hour| millis(day.at(hour, 0, 0, 0).to_zoned(berlin.clone()).unwrap());
                let before = days.map(|(name, days)| (name, at(self.day - days.days(), 9)));
                before.into_iter().chain([("expired", at(self.day.tomorrow().unwrap(), 0))]).collect()
            }
            Some(hour) => {
                let end = self.day.at(hour, 0, 0, 0).to_zoned(TimeZone::UTC).unwrap().with_time_zone(berlin);
                let before = days[..2].iter().map(|(name, days)| (*name, millis(&end - days.days())));
                before.chain([("expired", millis(end.clone()))]).collect()
            }
        }
    }
}

impl Paper {
    pub fn new(count: usize) -> Self {
        let mut paper = Self { items: Vec::new(), random: 42 };
        for _ in 0..count {
            let end = paper.end("2026-03-02");
            paper.items.push(Item { plans: vec![(instant(START).as_millis(), end)], sold: None });
        }
        paper
    }

    /// xorshift64*.
    pub fn random(&mut self, below: u64) -> u64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        self.random.wrapping_mul(0x2545_F491_4F6C_DD1D) % below
    }

    /// Some day from `first` on, in five weeks.
    fn end(&mut self, first: &str) -> End {
        let day = first.parse::<Date>().unwrap() + i64::try_from(self.random(35)).unwrap().days();
        let hour = (self.random(10) == 0).then(|| if self.random(2) == 0 { 15 } else { 22 });
        End { day, hour }
    }

    /// All of it as a table.
    pub fn table(&self) -> String {
        let row = |(n, item): (usize, &Item)| {
            format!("p{n:05},Item {n},user-{},{}\n", n % OWNERS, item.plans[0].1.text())
        };
        let rows: String = self.items.iter().enumerate().map(row).collect();
        format!("id,name,owners,expiryDate\n{rows}")
    }

    /// Another date for every tenth, as a table.
    pub fn change(&mut self) -> String {
        let mut table = "id,expiryDate\n".to_owned();
        for n in (0..self.items.len()).step_by(10) {
            let before = self.items[n].plans[0].1;
            let mut end = self.end("2026-03-13");
            while end.text() == before.text() {
                end = self.end("2026-03-13");
            }
            table += &format!("p{n:05},{}\n", end.text());
            self.items[n].plans.push((instant(CHANGES).as_millis(), end));
        }
        table
    }

    /// Every twentieth is sold: their ids.
    pub fn sell(&mut self) -> Vec<String> {
        let sold = (1..self.items.len()).step_by(20);
        sold.map(|n| {
            self.items[n].sold = Some(instant(SALES).as_millis());
            format!("p{n:05}")
        })
        .collect()
    }

    /// Every instant at which something is to be told, after `after` and up to `until`.
    pub fn instants(&self, after: i64, until: i64) -> Vec<i64> {
        let ends =
            self.items.iter().filter(|item| item.sold.is_none()).map(|item| item.plans.last().unwrap().1);
        let mut all: Vec<i64> = ends.flat_map(|end| end.rungs()).map(|(_, at)| at).collect();
        all.retain(|at| (after + 1..=until).contains(at));
        all.sort_unstable();
        all.dedup();
        all
    }

    /// What the owners find at `now`, none of whom has read anything.
    pub fn told(&self, now: i64) -> BTreeMap<Told, usize> {
        let here = self.log(now).into_iter().filter(|(_, holds)| *holds);
        here.map(|(told, _)| (told, 1)).collect()
    }

    /// All that has been told by `now`, and whether it still holds: what was said of a former date, or of what is sold
    /// now, does not.
    pub fn log(&self, now: i64) -> Vec<(Told, bool)> {
        let mut log = vec![];
        for (n, item) in self.items.iter().enumerate() {
            for (turn, (since, end)) in item.plans.iter().enumerate() {
                let next = item.plans.get(turn + 1).map(|(since, _)| *since).or(item.sold);
                let until = next.unwrap_or(now).min(now);
                for (rung, at) in end.rungs() {
                    if *since < at && at <= until {
                        log.push(((format!("p{n:05}"), rung.to_owned(), at), next.is_none()));
                    }
                }
            }
        }
        log
    }
}
