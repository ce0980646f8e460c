//! A file of products in pieces that one request can carry.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use csv::ByteRecord;
use hyper::body::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Failure;
use crate::rows::Rows;

/// Rows of one piece: few enough that what they take back of older notifications has room in one transaction, and
/// that the server's other writers hardly wait.
const MAX_ROWS: usize = 2_000;
/// Bytes of one piece: well below what a request may have.
const MAX_BYTES: usize = 3 * 1024 * 1024;

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
    pub(super) fn without(mut self, rows: &[usize]) -> Self {
        if self.rows.iter().any(|row| rows.contains(row)) {
            let pieces = self.rows.into_iter().zip(self.ids).zip(self.bodies);
            let pieces = pieces.filter(|((row, _), _)| !rows.contains(row));
            let pieces = pieces.map(|((row, id), body)| Piece { row, id, body }).collect();
            self = Self::new(self.format, &self.head, pieces, self.end);
        }
        self
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
    let (head, pieces): (Vec<u8>, Pieces) = match format {
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
    Ok(Chunks { format, head, pieces, held: None, end: 0 })
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
    pieces: Pieces,
    /// Had no room in the chunk before.
    held: Option<Piece>,
    end: u64,
}

impl Iterator for Chunks {
    type Item = Result<Chunk, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        let (mut pieces, mut bytes) = (Vec::new(), self.head.len());
        while pieces.len() < MAX_ROWS {
            let piece = match self.held.take().map(Ok).or_else(|| self.pieces.next()) {
                Some(Ok(piece)) => piece,
                Some(Err(failure)) => return Some(Err(failure)),
                None => break,
            };
            if !pieces.is_empty() && bytes + piece.body.len() + 1 > MAX_BYTES {
                self.held = Some(piece);
                break;
            }
            bytes += piece.body.len() + 1;
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
        let rows: String = (0..4_500).map(|n| format!("p{n},\"a\nb\"\n\n")).collect();
        let chunks = all("p.csv", &format!("id,notes\n{rows}"));
        assert_eq!(chunks.iter().map(|chunk| chunk.rows.len()).collect::<Vec<_>>(), [2_000, 2_000, 500]);
        assert_eq!((chunks[0].row_in_file(2), chunks[1].row_in_file(3)), (2, 4_004));
        assert!(chunks[1].body.starts_with(b"id,notes\np2000,\"a\nb\"\np2001,"));
        assert_eq!(chunks[2].ids[0], b"p4000");

        let chunk = all("p.csv", "id\na\nb\nc\n").remove(0).without(&[3]);
        assert_eq!((&chunk.body[..], chunk.row_in_file(3)), (&b"id\na\nc\n"[..], 4));
        assert!(chunk.without(&[2, 4]).rows.is_empty());
    }

    #[test]
    fn pieces_of_json() {
        let long = "x".repeat(MAX_BYTES / 2);
        let text = format!(r#"[{{"id":"a","notes":"{long}"}}, {{"id":"b","notes":"{long}"}}, 7]"#);
        let chunks = all("p.JSON", &text);
        assert_eq!(chunks.iter().map(|chunk| chunk.rows.clone()).collect::<Vec<_>>(), [vec![1], vec![2, 3]]);
        assert_eq!((&chunks[1].ids[0][..], chunks[1].row_in_file(2)), (&b"b"[..], 3));
        assert!(chunks[1].body.ends_with(b"\"},7]"));
    }
}
