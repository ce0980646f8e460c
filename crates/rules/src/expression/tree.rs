//! The tree that is evaluated: the parser's, with every name resolved and every bound checked.

use cel::common::ast::{EntryExpr, Expr, IdedExpr, LiteralValue, SourceInfo, operators};
use cel::{Env, ParseErrors};
use regex::{Regex, RegexBuilder};

use super::functions::Function;
use super::scan::scan;
use crate::error::{Fault, Position, Reason};
use crate::limits::{MAX_EXPRESSION_DEPTH, MAX_LOOP_DEPTH, MAX_REGEX_BYTES, MAX_TREE_BYTES};

/// A node, and where it was written.
#[derive(Debug)]
pub(super) struct Node {
    pub at: Position,
    pub kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Text(Box<str>),
    /// A name that every expression sees.
    Root(Root),
    /// The variable of a loop around, by its place from the outermost.
    Local(usize),
    Select(Box<Node>, Box<str>),
    Has(Box<Node>, Box<str>),
    Index(Box<[Node; 2]>),
    Not(Box<Node>),
    Negate(Box<Node>),
    And(Box<[Node; 2]>),
    Or(Box<[Node; 2]>),
    Choose(Box<[Node; 3]>),
    Binary(Binary, Box<[Node; 2]>),
    List(Box<[Node]>),
    Record(Box<[(Node, Node)]>),
    Loop(Box<Loop>),
    Call(Function, Box<[Node]>),
    Matches(Box<Node>, Box<Pattern>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Root {
    Event,
    Data,
    Actor,
    Type,
    Subject,
    Source,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fold {
    All,
    Exists,
    ExistsOne,
    Filter,
    Map,
}

#[derive(Debug)]
pub(super) struct Loop {
    pub fold: Fold,
    pub range: Node,
    /// Of `map` with three arguments: which elements.
    pub condition: Option<Node>,
    pub body: Node,
}

/// A regular expression, and how large its program is: a text costs that much more to match.
#[derive(Debug)]
pub(super) struct Pattern {
    pub regex: Regex,
    pub bytes: usize,
}

impl Pattern {
    /// Bytes it takes, about: there are two programs, one of them backwards, and what they need to run.
    fn weight(&self) -> usize {
        2 * self.bytes + 8 * 1024
    }
}

/// An expression's tree, and the bytes it takes.
pub(super) fn parse(source: &str) -> Result<(Node, usize), Fault> {
    scan(source)?;
    // An environment without macros: `all`, `map` and the others arrive as the calls they were written as.
    let program = Env::default().compile(source).map_err(|errors| syntax(&errors))?;
    let mut lowering = Lowering { source, info: program.source_info(), locals: Vec::new(), bytes: 0 };
    let root = lowering.node(program.expression(), 0)?;
    Ok((root, lowering.bytes))
}

fn syntax(errors: &ParseErrors) -> Fault {
    let Some(first) = errors.errors.first() else {
        return Reason::Syntax("it does not parse".to_owned()).into();
    };
    let small = |n: isize| u32::try_from(n).unwrap_or(0);
    let (line, column) = first.pos;
    let position = (line > 0).then(|| Position { line: small(line), column: small(column) });
    // The parser lists every token it would have taken; the first line is enough.
    let text: String = first.msg.lines().next().unwrap_or("").chars().take(160).collect();
    Fault { position, reason: Reason::Syntax(text) }
}

struct Lowering<'s> {
    source: &'s str,
    info: &'s SourceInfo,
    /// Names of the loops around.
    locals: Vec<String>,
    /// Bytes of the nodes so far.
    bytes: usize,
}

impl Lowering<'_> {
    fn node(&mut self, from: &IdedExpr, depth: usize) -> Result<Node, Fault> {
        let at = self.position(from);
        let fault = |reason| Fault { position: Some(at), reason };
        if depth >= MAX_EXPRESSION_DEPTH {
            return Err(fault(Reason::TooDeep { limit: MAX_EXPRESSION_DEPTH }));
        }
        let kind = match &from.expr {
            Expr::Literal(literal) => constant(literal).map_err(fault)?,
            Expr::Ident(name) => self.name(name).map_err(fault)?,
            Expr::Select(select) => {
                let of = Box::new(self.node(&select.operand, depth + 1)?);
                let field = select.field.as_str().into();
                if select.test { Kind::Has(of, field) } else { Kind::Select(of, field) }
            }
            Expr::List(list) if list.optional_indices.is_empty() => {
                Kind::List(self.nodes(&list.elements, depth)?.into())
            }
            Expr::Map(map) => {
                let mut entries = Vec::with_capacity(map.entries.len());
                for entry in &map.entries {
                    match &entry.expr {
                        EntryExpr::MapEntry(entry) if !entry.optional => entries
                            .push((self.node(&entry.key, depth + 1)?, self.node(&entry.value, depth + 1)?)),
                        _ => return Err(fault(not_available("an optional entry"))),
                    }
                }
                Kind::Record(entries.into())
            }
            Expr::Call(call) => self.call(at, call, depth)?.kind,
            Expr::List(_) => return Err(fault(not_available("an optional element"))),
            Expr::Struct(_) => return Err(fault(not_available("a message"))),
            Expr::Comprehension(_) | Expr::Unspecified => {
                return Err(fault(Reason::Syntax("it does not parse".to_owned())));
            }
        };
        self.bytes += size_of::<Node>()
            + match &kind {
                Kind::Text(text) => text.len(),
                Kind::Matches(_, pattern) => pattern.weight(),
                _ => 0,
            };
        if self.bytes > MAX_TREE_BYTES {
            return Err(fault(Reason::TooLong {
                limit: MAX_TREE_BYTES,
                unit: "bytes of compiled expression",
            }));
        }
        Ok(Node { at, kind })
    }

    fn call(&mut self, at: Position, call: &cel::common::ast::CallExpr, depth: usize) -> Result<Node, Fault> {
        let fault = |reason| Fault { position: Some(at), reason };
        let name = call.func_name.as_str();
        if let (Some(range), Some(fold)) = (&call.target, fold(name)) {
            return self.fold(at, fold, range, &call.args, depth);
        }
        if name == operators::HAS && call.target.is_none() {
            return match call.args.as_slice() {
                [IdedExpr { expr: Expr::Select(select), .. }] => {
                    let of = Box::new(self.node(&select.operand, depth + 1)?);
                    Ok(Node { at, kind: Kind::Has(of, select.field.as_str().into()) })
                }
                _ => Err(fault(Reason::Syntax("has takes one member, as in has(data.total)".to_owned()))),
            };
        }
        let mut nodes = Vec::with_capacity(call.args.len() + 1);
        if let Some(target) = &call.target {
            nodes.push(self.node(target, depth + 1)?);
        }
        nodes.extend(self.nodes(&call.args, depth)?);
        let kind = match operator(name, nodes) {
            Ok(kind) => kind,
            Err(nodes) if name == "matches" => matches(nodes).map_err(fault)?,
            Err(nodes) => {
                let method = call.target.is_some();
                let function = Function::find(name, method, nodes.len()).ok_or_else(|| {
                    let how = nodes.len() - usize::from(method);
                    fault(Reason::Unknown(format!("function {name} of {how} arguments")))
                })?;
                Kind::Call(function, nodes.into())
            }
        };
        Ok(Node { at, kind })
    }

    fn fold(
        &mut self,
        at: Position,
        fold: Fold,
        range: &IdedExpr,
        args: &[IdedExpr],
        depth: usize,
    ) -> Result<Node, Fault> {
        let fault = |reason| Fault { position: Some(at), reason };
        let (variable, condition, body) = match args {
            [IdedExpr { expr: Expr::Ident(variable), .. }, body] => (variable, None, body),
            [IdedExpr { expr: Expr::Ident(variable), .. }, condition, body] if fold == Fold::Map => {
                (variable, Some(condition), body)
            }
            _ => {
                let reason = "a name and an expression are needed, as in list.all(x, x > 1)";
                return Err(fault(Reason::Syntax(reason.to_owned())));
            }
        };
        let range = self.node(range, depth + 1)?;
        if self.locals.len() >= MAX_LOOP_DEPTH {
            return Err(fault(Reason::TooMany { what: "loops within each other", limit: MAX_LOOP_DEPTH }));
        }
        self.locals.push(variable.clone());
        let condition = condition.map(|condition| self.node(condition, depth + 1)).transpose()?;
        let body = self.node(body, depth + 1)?;
        self.locals.pop();
        Ok(Node { at, kind: Kind::Loop(Box::new(Loop { fold, range, condition, body })) })
    }

    fn nodes(&mut self, from: &[IdedExpr], depth: usize) -> Result<Vec<Node>, Fault> {
        from.iter().map(|node| self.node(node, depth + 1)).collect()
    }

    fn name(&self, name: &str) -> Result<Kind, Reason> {
        if let Some(place) = self.locals.iter().rposition(|local| local == name) {
            return Ok(Kind::Local(place));
        }
        Ok(Kind::Root(match name {
            "event" => Root::Event,
            "data" => Root::Data,
            "actor" => Root::Actor,
            "type" => Root::Type,
            "subject" => Root::Subject,
            "source" => Root::Source,
            _ => return Err(Reason::Unknown(format!("variable {name}"))),
        }))
    }

    /// The parser counts bytes.
    fn position(&self, node: &IdedExpr) -> Position {
        Position::of(self.source, self.info.offset_for(node.id).map_or(0, |(start, _)| start as usize))
    }
}

fn not_available(what: &str) -> Reason {
    Reason::NotAvailable(what.to_owned())
}

fn constant(literal: &LiteralValue) -> Result<Kind, Reason> {
    Ok(match literal {
        LiteralValue::Null => Kind::Null,
        LiteralValue::Boolean(b) => Kind::Bool(*b.inner()),
        LiteralValue::Int(i) => Kind::Int(*i.inner()),
        LiteralValue::UInt(u) => Kind::Uint(*u.inner()),
        LiteralValue::Double(d) => Kind::Double(*d.inner()),
        LiteralValue::String(text) => Kind::Text(text.inner().into()),
        LiteralValue::Bytes(_) => return Err(not_available("a text of bytes")),
    })
}

fn fold(name: &str) -> Option<Fold> {
    Some(match name {
        operators::ALL => Fold::All,
        operators::EXISTS => Fold::Exists,
        operators::EXISTS_ONE | "existsOne" => Fold::ExistsOne,
        operators::FILTER => Fold::Filter,
        operators::MAP => Fold::Map,
        _ => return None,
    })
}

/// The node of an operator; gives the operands back if `name` is none.
fn operator(name: &str, nodes: Vec<Node>) -> Result<Kind, Vec<Node>> {
    let binary = match name {
        operators::ADD => Some(Binary::Add),
        operators::SUBSTRACT => Some(Binary::Subtract),
        operators::MULTIPLY => Some(Binary::Multiply),
        operators::DIVIDE => Some(Binary::Divide),
        operators::MODULO => Some(Binary::Remainder),
        operators::EQUALS => Some(Binary::Equal),
        operators::NOT_EQUALS => Some(Binary::Unequal),
        operators::LESS => Some(Binary::Less),
        operators::LESS_EQUALS => Some(Binary::LessOrEqual),
        operators::GREATER => Some(Binary::Greater),
        operators::GREATER_EQUALS => Some(Binary::GreaterOrEqual),
        operators::IN => Some(Binary::In),
        _ => None,
    };
    match (name, nodes.len()) {
        (operators::CONDITIONAL, 3) => exactly(nodes).map(Kind::Choose),
        (operators::LOGICAL_AND, 2) => exactly(nodes).map(Kind::And),
        (operators::LOGICAL_OR, 2) => exactly(nodes).map(Kind::Or),
        (operators::INDEX, 2) => exactly(nodes).map(Kind::Index),
        (operators::LOGICAL_NOT, 1) => only(nodes).map(Kind::Not),
        (operators::NEGATE, 1) => only(nodes).map(Kind::Negate),
        (_, 2) => match binary {
            Some(binary) => exactly(nodes).map(|two| Kind::Binary(binary, two)),
            None => Err(nodes),
        },
        _ => Err(nodes),
    }
}

fn exactly<const N: usize>(nodes: Vec<Node>) -> Result<Box<[Node; N]>, Vec<Node>> {
    <Box<[Node; N]>>::try_from(nodes)
}

fn only(nodes: Vec<Node>) -> Result<Box<Node>, Vec<Node>> {
    <[Node; 1]>::try_from(nodes).map(|[node]| Box::new(node))
}

/// A pattern is a literal: it is compiled once, and no event can bring its own.
fn matches(nodes: Vec<Node>) -> Result<Kind, Reason> {
    let wrong = || Reason::Syntax("matches takes a text and a literal pattern".to_owned());
    let [text, pattern] = <[Node; 2]>::try_from(nodes).map_err(|_| wrong())?;
    let Kind::Text(pattern) = pattern.kind else { return Err(wrong()) };
    // The smallest power of two in which the program fits says how much matching costs.
    let mut bytes = 1024;
    loop {
        let compiled = RegexBuilder::new(&pattern)
            .size_limit(bytes)
            .dfa_size_limit(MAX_REGEX_BYTES)
            .nest_limit(32)
            .build();
        match compiled {
            Ok(regex) => return Ok(Kind::Matches(Box::new(text), Box::new(Pattern { regex, bytes }))),
            Err(regex::Error::CompiledTooBig(_)) if bytes < MAX_REGEX_BYTES => bytes *= 2,
            Err(regex::Error::CompiledTooBig(_)) => {
                return Err(Reason::TooLong { limit: MAX_REGEX_BYTES, unit: "bytes of compiled pattern" });
            }
            Err(_) => return Err(Reason::Syntax("the pattern is no regular expression".to_owned())),
        }
    }
}
