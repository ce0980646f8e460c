//! A file of products in pieces that one request can carry: one piece, if a request can carry all of it.

use std::collections::{HashSet, VecDeque};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use campanile_engine::product::MAX_PRODUCTS;
use campanile_model::limits::MAX_BODY_BYTES;
use csv::ByteRecord;
use hyper::body::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Failure;
use crate::rows::Rows;

/// Rows of one of several pieces: few enough that the server's other writers hardly wait, and that the bar moves.
const ROWS: usize = 2_000;

/// How the file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Csv,
    Json,
}

impl Format {
    /// By the file's name.
    pub(super) fn of(file: &Path) -> Self {
        let is_json = file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
        if is_json { Self::Json } else { Self::Csv }
    }

    pub(super) fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv",
            Self::Json => "application/json",
        }
    }

    /// Bytes of a request beside its [pieces](Piece::bytes).
    fn around(self, head: &[u8]) -> usize {
        match self {
            Self::Csv => head.len(),
            // Two brackets, and no comma behind the last.
            Self::Json => 1,
        }
    }
}

/// Some rows of a file.
#[derive(Debug)]
pub(super) struct Chunk {
    /// As it is sent.
    pub(super) body: Bytes,
    /// The numbers of its rows in the file.
    pub(super) rows: Vec<usize>,
    /// The ids of its rows, as far as they can be read.
    pub(super) ids: Vec<Vec<u8>>,
    /// Bytes of the file up to here, more or less.
    pub(super) end: u64,
    format: Format,
    head: Vec<u8>,
    bodies: Vec<Vec<u8>>,
}

impl Chunk {
    fn new(format: Format, head: &[u8], pieces: Vec<Piece>, end: u64) -> Self {
        let (mut rows, mut ids, mut bodies) = (Vec::new(), Vec::new(), Vec::new());
        for Piece { row, id, body } in pieces {
            rows.push(row);
            ids.push(id);
            bodies.push(body);
        }
        let body = body(format, head, &bodies);
        Self { body, rows, ids, end, format, head: head.to_vec(), bodies }
    }

    /// The chunk but for those rows of the file.
    pub(super) fn without(self, rows: &HashSet<usize>) -> Self {
        if !self.rows.iter().any(|row| rows.contains(row)) {
            return self;
        }
        let (format, head, end) = (self.format, self.head.clone(), self.end);
        let pieces = self.pieces().into_iter().filter(|piece| !rows.contains(&piece.row)).collect();
        Self::new(format, &head, pieces, end)
    }

    /// The chunk in two, each with one row at least; the other way round, so that the first is popped first. A chunk
    /// of one row or none stays as it is.
    pub(super) fn halves(self) -> Vec<Self> {
        if self.rows.len() < 2 {
            return vec![self];
        }
        let (format, head, end) = (self.format, self.head.clone(), self.end);
        let mut first = self.pieces();
        let second = first.split_off(first.len() / 2);
        let middle = end - second.iter().map(|piece| piece.bytes(format) as u64).sum::<u64>();
        [(second, end), (first, middle)].map(|(pieces, end)| Self::new(format, &head, pieces, end)).into()
    }

    fn pieces(self) -> Vec<Piece> {
        let pieces = self.rows.into_iter().zip(self.ids).zip(self.bodies);
        pieces.map(|((row, id), body)| Piece { row, id, body }).collect()
    }

    /// The number in the file of what the server calls `row`.
    pub(super) fn row_in_file(&self, row: usize) -> usize {
        // The server counts a header, or from 1.
        let first = if self.format == Format::Csv { 2 } else { 1 };
        row.checked_sub(first).and_then(|place| self.rows.get(place).copied()).unwrap_or(row)
    }
}

/// One row.
struct Piece {
    row: usize,
    id: Vec<u8>,
    body: Vec<u8>,
}

impl Piece {
    /// What it adds to a request, a comma included where there are any.
    fn bytes(&self, format: Format) -> usize {
        self.body.len() + usize::from(format == Format::Json)
    }
}

fn body(format: Format, head: &[u8], bodies: &[Vec<u8>]) -> Bytes {
    match format {
        Format::Csv => [head, &bodies.concat()].concat().into(),
        Format::Json => [&b"["[..], &bodies.join(&b","[..]), b"]"].concat().into(),
    }
}

type Pieces = Box<dyn Iterator<Item = Result<Piece, Failure>>>;

/// The pieces of `file`, read as they are asked for; of a JSON file, all at once.
pub(super) fn read(file: &Path, format: Format) -> Result<Chunks, Failure> {
    let cannot =
        |error: &dyn std::error::Error| Failure::caused(format!("cannot read {}", file.display()), error);
    let open = BufReader::new(File::open(file).map_err(|error| cannot(&error))?);
    let name = file.display().to_string();
    let (head, mut pieces): (Vec<u8>, Pieces) = match format {
        Format::Csv => {
            let mut rows = Rows::new(open);
            let header = match rows.next() {
                Some(header) => header.map_err(|error| cannot(&error))?.1,
                None => return Err(Failure::new(format!("{name} has no header"))),
            };
            let id = header.iter().position(|cell| cell.trim_ascii() == b"id");
            let head = written(&header);
            let pieces = rows.map(move |row| {
                let (row, record) =
                    row.map_err(|error| Failure::caused(format!("cannot read {name}"), &error))?;
                let id = id.and_then(|id| record.get(id)).unwrap_or_default().trim_ascii().to_vec();
                Ok(Piece { row, id, body: written(&record) })
            });
            (head, Box::new(pieces))
        }
        Format::Json => {
            let rows: Vec<Box<RawValue>> = serde_json::from_reader(open).map_err(|error| cannot(&error))?;
            let pieces = rows.into_iter().enumerate().map(|(place, raw)| {
                let named: Named = serde_json::from_str(raw.get()).unwrap_or_default();
                Ok(Piece { row: place + 1, id: named.id.into_bytes(), body: raw.get().into() })
            });
            (Vec::new(), Box::new(pieces))
        }
    };
    // Read until it is known whether it fits.
    let (mut ahead, mut bytes) = (VecDeque::new(), format.around(&head));
    while ahead.len() <= MAX_PRODUCTS && bytes <= MAX_BODY_BYTES {
        let Some(piece) = pieces.next().transpose()? else {
            return Ok(Chunks { format, head, ahead, pieces, rows: MAX_PRODUCTS, end: 0 });
        };
        bytes += piece.bytes(format);
        ahead.push_back(piece);
    }
    Ok(Chunks { format, head, ahead, pieces, rows: ROWS, end: 0 })
}

/// Of a row of JSON, what names its product.
#[derive(Default, Deserialize)]
struct Named {
    #[serde(default)]
    id: String,
}

fn written(record: &ByteRecord) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    // It writes to memory, which takes it all.
    let _written = writer.write_byte_record(record);
    writer.into_inner().unwrap_or_default()
}

/// A file, piece by piece.
pub(super) struct Chunks {
    format: Format,
    head: Vec<u8>,
    /// What was read already, and then the rest.
    ahead: VecDeque<Piece>,
    pieces: Pieces,
    /// Of one chunk, at most.
    rows: usize,
    end: u64,
}

impl Iterator for Chunks {
    type Item = Result<Chunk, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        let (mut pieces, mut bytes) = (Vec::new(), self.format.around(&self.head));
        while pieces.len() < self.rows {
            let piece = match self.ahead.pop_front().map(Ok).or_else(|| self.pieces.next()) {
                Some(Ok(piece)) => piece,
                Some(Err(failure)) => return Some(Err(failure)),
                None => break,
            };
            if !pieces.is_empty() && bytes + piece.bytes(self.format) > MAX_BODY_BYTES {
                self.ahead.push_front(piece);
                break;
            }
            bytes += piece.bytes(self.format);
            pieces.push(piece);
        }
        self.end += bytes as u64;
        (!pieces.is_empty()).then(|| Ok(Chunk::new(self.format, &self.head, pieces, self.end)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(name: &str, text: &str) -> Vec<Chunk> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(name);
        std::fs::write(&file, text).unwrap();
        read(&file, Format::of(&file))
            .unwrap()
            .map(|chunk| chunk.unwrap_or_else(|_| panic!("a chunk")))
            .collect()
    }

    #[test]
    fn pieces_know_their_rows() {
        let table = |rows: usize| -> String {
            let rows: String = (0..rows).map(|n| format!("p{n},\"a\nb\"\n\n")).collect();
            format!("id,notes\n{rows}")
        };
        let chunks = all("p.csv", &table(10_001));
        let sizes = |chunks: &[Chunk]| chunks.iter().map(|chunk| chunk.rows.len()).collect::<Vec<_>>();
        assert_eq!(sizes(&chunks), [2_000, 2_000, 2_000, 2_000, 2_000, 1]);
        assert_eq!((chunks[0].row_in_file(2), chunks[1].row_in_file(3)), (2, 4_004));
        assert!(chunks[1].body.starts_with(b"id,notes\np2000,\"a\nb\"\np2001,"));
        assert_eq!(chunks[2].ids[0], b"p4000");
        assert!(chunks.is_sorted_by_key(|chunk| chunk.end), "the bar goes on");
        assert_eq!(sizes(&all("p.csv", &table(10_000))), [10_000], "what fits is one request");

        let chunk = all("p.csv", "id\na\nb\nc\n").remove(0).without(&HashSet::from([3]));
        assert_eq!((&chunk.body[..], chunk.row_in_file(3)), (&b"id\na\nc\n"[..], 4));
        assert!(chunk.without(&HashSet::from([2, 4])).rows.is_empty());
    }

    #[test]
    fn a_piece_in_two() {
        let whole = all("p.csv", "id\na\nb\nc\n").remove(0);
        let end = whole.end;
        let mut halves = whole.halves();
        let first = halves.pop().unwrap();
        let second = halves.pop().unwrap();
        assert_eq!((&first.body[..], &second.body[..]), (&b"id\na\n"[..], &b"id\nb\nc\n"[..]));
        assert_eq!((first.row_in_file(2), second.row_in_file(2)), (2, 3));
        assert!(halves.is_empty() && first.end < end && second.end == end);
        assert_eq!(first.halves().len(), 1, "one row is one row");
    }

    #[test]
    fn pieces_of_json() {
        let long = "x".repeat(MAX_BODY_BYTES / 2);
        let text = format!(r#"[{{"id":"a","notes":"{long}"}}, {{"id":"b","notes":"{long}"}}, 7]"#);
        let chunks = all("p.JSON", &text);
        assert_eq!(chunks.iter().map(|chunk| chunk.rows.clone()).collect::<Vec<_>>(), [vec![1], vec![2, 3]]);
        assert_eq!((&chunks[1].ids[0][..], chunks[1].row_in_file(2)), (&b"b"[..], 3));
        assert!(chunks[1].body.ends_with(b"\"},7]"));

        // To the byte.
        let around = r#"[{"id":"a","notes":""},7]"#.len();
        for (more, pieces) in [(0, 1), (1, 2)] {
            let long = "x".repeat(MAX_BODY_BYTES - around + more);
            let chunks = all("p.json", &format!(r#"[{{"id":"a","notes":"{long}"}},7]"#));
            assert_eq!(chunks.len(), pieces, "{more}");
        }
    }
}
