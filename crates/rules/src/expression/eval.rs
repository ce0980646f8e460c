//! The evaluator.

use std::cmp::Ordering;
use std::rc::Rc;

use super::Scope;
use super::arithmetic::{arithmetic, is_number, negate};
use super::meter::Meter;
use super::tree::{Binary, Fold, Kind, Loop, Node, Pattern, Root};
use super::value::{Text, Val};
use crate::error::{Fault, Reason};
use crate::limits::MAX_MATCHED_BYTES;

/// One evaluation. Recurses as deep as the tree, which is bounded.
pub(super) struct Eval<'a, 's> {
    scope: &'s Scope<'a>,
    meter: &'s Meter,
    /// The variables of the loops around.
    locals: Vec<Val<'a>>,
}

impl<'a, 's> Eval<'a, 's> {
    pub(super) fn new(scope: &'s Scope<'a>) -> Self {
        Self { scope, meter: &scope.meter, locals: Vec::new() }
    }

    pub(super) fn node<'n: 'a>(&mut self, node: &'n Node) -> Result<Val<'a>, Fault> {
        let at = |reason| Fault { position: Some(node.at), reason };
        self.meter.steps(1).map_err(at)?;
        match &node.kind {
            Kind::Null => Ok(Val::Null),
            Kind::Bool(b) => Ok(Val::Bool(*b)),
            Kind::Int(i) => Ok(Val::Int(*i)),
            Kind::Uint(u) => Ok(Val::Uint(*u)),
            Kind::Double(d) => Ok(Val::Double(*d)),
            Kind::Text(text) => Ok(Val::text(text)),
            Kind::Root(root) => Ok(self.root(*root)),
            Kind::Local(place) => Ok(self.locals[*place].clone()),
            Kind::Select(of, name) => {
                let of = self.node(of)?;
                select(&of, name).map_err(at)
            }
            Kind::Has(of, name) => {
                let of = self.node(of)?;
                if of.is_object() {
                    Ok(Val::Bool(of.member(name).is_some()))
                } else {
                    Err(at(wants("has", "an object", &of)))
                }
            }
            Kind::Index(two) => {
                let (of, index) = (self.node(&two[0])?, self.node(&two[1])?);
                index_into(&of, &index).map_err(at)
            }
            Kind::Not(of) => match self.node(of)? {
                Val::Bool(b) => Ok(Val::Bool(!b)),
                other => Err(at(wants("!", "a truth value", &other))),
            },
            Kind::Negate(of) => {
                let of = self.node(of)?;
                negate(&of).map_err(at)
            }
            Kind::And(two) => self.either(two, "&&", false),
            Kind::Or(two) => self.either(two, "||", true),
            Kind::Choose(three) => {
                if self.truth(&three[0], "?:")? {
                    self.node(&three[1])
                } else {
                    self.node(&three[2])
                }
            }
            Kind::Binary(binary, two) => {
                let (left, right) = (self.node(&two[0])?, self.node(&two[1])?);
                self.binary(*binary, left, right).map_err(at)
            }
            Kind::List(elements) => {
                self.meter.made(elements.len() * size_of::<Val>()).map_err(at)?;
                let values: Result<Vec<_>, _> = elements.iter().map(|element| self.node(element)).collect();
                values.map(|values| Val::List(values.into()))
            }
            Kind::Record(entries) => self.record(entries, at),
            Kind::Loop(fold) => self.fold(fold, node),
            Kind::Call(function, nodes) => {
                let args: Result<Vec<_>, _> = nodes.iter().map(|node| self.node(node)).collect();
                function.call(&args?, self.meter).map_err(at)
            }
            Kind::Matches(text, pattern) => {
                let text = self.node(text)?;
                self.matches(&text, pattern).map_err(at)
            }
        }
    }

    fn root(&self, root: Root) -> Val<'a> {
        match root {
            Root::Event => &self.scope.event,
            Root::Data => &self.scope.data,
            Root::Actor => &self.scope.actor,
            Root::Type => &self.scope.kind,
            Root::Subject => &self.scope.subject,
            Root::Source => &self.scope.source,
        }
        .clone()
    }

    fn truth<'n: 'a>(&mut self, node: &'n Node, what: &'static str) -> Result<bool, Fault> {
        match self.node(node)? {
            Val::Bool(b) => Ok(b),
            other => Err(Fault { position: Some(node.at), reason: wants(what, "a truth value", &other) }),
        }
    }

    /// `&&` and `||`: the side that decides hides an error of the other, except that what is spent is spent.
    fn either<'n: 'a>(
        &mut self,
        two: &'n [Node; 2],
        what: &'static str,
        decides: bool,
    ) -> Result<Val<'a>, Fault> {
        let left = self.truth(&two[0], what);
        match &left {
            Ok(b) if *b == decides => return Ok(Val::Bool(decides)),
            Err(fault) if fault.reason == Reason::TooCostly => return left.map(Val::Bool),
            _ => {}
        }
        let right = self.truth(&two[1], what)?;
        if right == decides { Ok(Val::Bool(decides)) } else { left.map(Val::Bool) }
    }

    fn record<'n: 'a>(
        &mut self,
        entries: &'n [(Node, Node)],
        at: impl Fn(Reason) -> Fault,
    ) -> Result<Val<'a>, Fault> {
        self.meter.made(entries.len() * 2 * size_of::<Val>()).map_err(&at)?;
        let mut members: Vec<(Text<'a>, Val<'a>)> = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let key_at = key.at;
            let key = match self.node(key)? {
                Val::Text(key) => key,
                other => {
                    return Err(Fault { position: Some(key_at), reason: wants("a key", "a text", &other) });
                }
            };
            let value = self.node(value)?;
            self.meter.steps(members.len()).map_err(&at)?;
            match members.iter_mut().find(|(other, _)| **other == *key) {
                Some(member) => member.1 = value,
                None => members.push((key, value)),
            }
        }
        Ok(Val::Record(members.into()))
    }

    fn fold<'n: 'a>(&mut self, fold: &'n Loop, node: &Node) -> Result<Val<'a>, Fault> {
        let at = |reason| Fault { position: Some(node.at), reason };
        let range = self.node(&fold.range)?;
        let elements = match &range {
            Val::Object(members) => {
                self.meter.made(members.len() * size_of::<Val>()).map_err(at)?;
                Val::List(members.keys().map(|key| Val::text(key)).collect())
            }
            Val::Array(_) | Val::List(_) | Val::Record(_) => range,
            other => return Err(at(wants("a loop", "a list or an object", other))),
        };
        let mut turn = Turn { kept: Vec::new(), found: 0, error: None };
        for place in 0..elements.len().unwrap_or(0) {
            self.meter.steps(1).map_err(at)?;
            let element = elements.nth(place).unwrap_or(Val::Null);
            self.locals.push(element.clone());
            let decided = self.turn(fold, element, &mut turn);
            self.locals.pop();
            if decided? {
                return Ok(Val::Bool(fold.fold == Fold::Exists));
            }
        }
        if let Some(error) = turn.error {
            return Err(error);
        }
        Ok(match fold.fold {
            Fold::All => Val::Bool(true),
            Fold::Exists => Val::Bool(false),
            Fold::ExistsOne => Val::Bool(turn.found == 1),
            Fold::Filter | Fold::Map => Val::List(turn.kept.into()),
        })
    }

    /// One element; whether it decides the whole.
    fn turn<'n: 'a>(&mut self, fold: &'n Loop, element: Val<'a>, turn: &mut Turn<'a>) -> Result<bool, Fault> {
        let at = |reason| Fault { position: Some(fold.body.at), reason };
        match fold.fold {
            Fold::All | Fold::Exists => match self.truth(&fold.body, "the condition of a loop") {
                Ok(b) if b == (fold.fold == Fold::Exists) => return Ok(true),
                Ok(_) => {}
                Err(fault) if fault.reason == Reason::TooCostly => return Err(fault),
                // A later element may decide all the same, as with && and ||.
                Err(fault) => turn.error = Some(fault),
            },
            Fold::ExistsOne => turn.found += usize::from(self.truth(&fold.body, "the condition of a loop")?),
            Fold::Filter => {
                if self.truth(&fold.body, "the condition of a loop")? {
                    self.meter.made(size_of::<Val>()).map_err(at)?;
                    turn.kept.push(element);
                }
            }
            Fold::Map => {
                let wanted = match &fold.condition {
                    Some(condition) => self.truth(condition, "the condition of a loop")?,
                    None => true,
                };
                if wanted {
                    self.meter.made(size_of::<Val>()).map_err(at)?;
                    let value = self.node(&fold.body)?;
                    turn.kept.push(value);
                }
            }
        }
        Ok(false)
    }

    fn matches(&self, text: &Val<'a>, pattern: &Pattern) -> Result<Val<'a>, Reason> {
        let Val::Text(text) = text else { return Err(wants("matches", "a text", text)) };
        if text.len() > MAX_MATCHED_BYTES {
            return Err(Reason::TooCostly);
        }
        // Linear in the text and, at worst, in the program. 64 bytes of program cost about a step a byte.
        self.meter.steps(text.len() * pattern.bytes / (32 * 1024))?;
        Ok(Val::Bool(pattern.regex.is_match(text)))
    }

    fn binary(&self, binary: Binary, left: Val<'a>, right: Val<'a>) -> Result<Val<'a>, Reason> {
        let ordered = |name: &'static str, holds: fn(Ordering) -> bool| {
            self.look_at(&left, &right)?;
            match left.order(&right) {
                Some(order) => Ok(Val::Bool(holds(order))),
                None if is_number(&left) && is_number(&right) => Ok(Val::Bool(false)),
                None => {
                    let wanted = "two numbers, two texts or two times";
                    Err(wants(name, wanted, if is_ordered(&left) { &right } else { &left }))
                }
            }
        };
        match binary {
            Binary::Equal => self.equal(&left, &right).map(Val::Bool),
            Binary::Unequal => self.equal(&left, &right).map(|equal| Val::Bool(!equal)),
            Binary::Less => ordered("<", Ordering::is_lt),
            Binary::LessOrEqual => ordered("<=", Ordering::is_le),
            Binary::Greater => ordered(">", Ordering::is_gt),
            Binary::GreaterOrEqual => ordered(">=", Ordering::is_ge),
            Binary::In => self.contains(&right, &left),
            Binary::Add => self.add(left, right),
            Binary::Subtract | Binary::Multiply | Binary::Divide | Binary::Remainder => {
                arithmetic(binary, &left, &right)
            }
        }
    }

    fn look_at(&self, left: &Val<'_>, right: &Val<'_>) -> Result<(), Reason> {
        match (left, right) {
            (Val::Text(left), Val::Text(right)) => self.meter.looked_at(left.len().min(right.len())),
            _ => Ok(()),
        }
    }

    /// Values of different types are unequal, and that is no error.
    fn equal(&self, left: &Val<'_>, right: &Val<'_>) -> Result<bool, Reason> {
        self.meter.steps(1)?;
        self.look_at(left, right)?;
        if let (Val::Null, Val::Null) = (left, right) {
            return Ok(true);
        }
        if left.is_object() && right.is_object() {
            if left.len() != right.len() {
                return Ok(false);
            }
            return match left {
                Val::Object(members) => {
                    self.all_equal(members.iter().map(|(key, v)| (&**key, Val::of(v))), right)
                }
                Val::Record(members) => {
                    self.all_equal(members.iter().map(|(key, v)| (&**key, v.clone())), right)
                }
                _ => Ok(false),
            };
        }
        match (left, right) {
            (Val::Array(_) | Val::List(_), Val::Array(_) | Val::List(_)) => {
                if left.len() != right.len() {
                    return Ok(false);
                }
                for place in 0..left.len().unwrap_or(0) {
                    if let (Some(left), Some(right)) = (left.nth(place), right.nth(place))
                        && !self.equal(&left, &right)?
                    {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            _ => Ok(left.order(right) == Some(Ordering::Equal)),
        }
    }

    fn all_equal<'m>(
        &self,
        members: impl Iterator<Item = (&'m str, Val<'m>)>,
        other: &Val<'_>,
    ) -> Result<bool, Reason> {
        for (key, value) in members {
            self.meter.steps(scan_cost(other))?;
            match other.member(key) {
                Some(other) if self.equal(&value, &other)? => {}
                _ => return Ok(false),
            }
        }
        Ok(true)
    }

    fn contains(&self, container: &Val<'a>, value: &Val<'a>) -> Result<Val<'a>, Reason> {
        match (container, value) {
            (Val::Object(_) | Val::Record(_), Val::Text(key)) => {
                self.meter.steps(scan_cost(container))?;
                Ok(Val::Bool(container.member(key).is_some()))
            }
            (Val::Array(_) | Val::List(_), _) => {
                for place in 0..container.len().unwrap_or(0) {
                    if let Some(element) = container.nth(place)
                        && self.equal(&element, value)?
                    {
                        return Ok(Val::Bool(true));
                    }
                }
                Ok(Val::Bool(false))
            }
            (Val::Object(_) | Val::Record(_), other) => Err(wants("in an object", "a text", other)),
            (other, _) => Err(wants("in", "a list or an object", other)),
        }
    }

    fn add(&self, left: Val<'a>, right: Val<'a>) -> Result<Val<'a>, Reason> {
        match (&left, &right) {
            (Val::Text(a), Val::Text(b)) => {
                self.meter.made(a.len() + b.len())?;
                Ok(Val::Text(Text::Made(Rc::from([&**a, &**b].concat()))))
            }
            (Val::Array(_) | Val::List(_), Val::Array(_) | Val::List(_)) => {
                let (a, b) = (left.len().unwrap_or(0), right.len().unwrap_or(0));
                self.meter.steps(a + b)?;
                self.meter.made((a + b) * size_of::<Val>())?;
                let elements = (0..a).filter_map(|place| left.nth(place));
                Ok(Val::List(elements.chain((0..b).filter_map(|place| right.nth(place))).collect()))
            }
            _ => arithmetic(Binary::Add, &left, &right),
        }
    }
}

struct Turn<'a> {
    kept: Vec<Val<'a>>,
    found: usize,
    error: Option<Fault>,
}

/// A made object is searched from its start, one of the event by its tree.
fn scan_cost(object: &Val<'_>) -> usize {
    match object {
        Val::Record(members) => members.len(),
        _ => 1,
    }
}

fn is_ordered(value: &Val<'_>) -> bool {
    is_number(value) || matches!(value, Val::Text(_) | Val::Bool(_) | Val::Instant(_) | Val::Span(_))
}

pub(super) fn wants(what: &str, wanted: &'static str, got: &Val<'_>) -> Reason {
    Reason::Type { what: what.to_owned(), wanted, got: got.kind() }
}

fn select<'a>(of: &Val<'a>, name: &str) -> Result<Val<'a>, Reason> {
    if !of.is_object() {
        return Err(wants(&format!(".{name}"), "an object", of));
    }
    of.member(name).ok_or_else(|| Reason::Missing(Some(name.to_owned())))
}

fn index_into<'a>(of: &Val<'a>, index: &Val<'a>) -> Result<Val<'a>, Reason> {
    match (of, index) {
        (Val::Object(_) | Val::Record(_), Val::Text(key)) => of.member(key).ok_or(Reason::Missing(None)),
        (Val::Array(_) | Val::List(_), Val::Int(place)) => {
            let place = usize::try_from(*place).ok();
            place
                .and_then(|place| of.nth(place))
                .ok_or(Reason::Arithmetic("the index is outside of the list"))
        }
        (Val::Object(_) | Val::Record(_), other) => Err(wants("an index of an object", "a text", other)),
        (Val::Array(_) | Val::List(_), other) => Err(wants("an index of a list", "a whole number", other)),
        (other, _) => Err(wants("[]", "a list or an object", other)),
    }
}
