//! Rows of a CSV, with the numbers that a spreadsheet shows.

use std::io::{Chain, Read};

use csv::{ByteRecord, Terminator};

/// The rows of a table (RFC 4180, with or without a byte-order mark) that say something: those with nothing but
/// empty cells count, but are passed over. The first is row 1.
pub struct Rows<R> {
    reader: csv::Reader<Chain<R, &'static [u8]>>,
    line: u64,
    row: usize,
}

impl<R: Read> Rows<R> {
    /// Reads from `source` as rows are asked for.
    pub fn new(source: R) -> Self {
        // So that the last row ends as the others do. A row ends with a line feed alone, and what stands before that
        // goes below: the parser counts the line feed of CRLF with the row after.
        let reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .terminator(Terminator::Any(b'\n'))
            .from_reader(source.chain(&b"\n"[..]));
        Self { reader, line: 1, row: 0 }
    }
}

impl<R: Read> Iterator for Rows<R> {
    type Item = Result<(usize, ByteRecord), csv::Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut record = ByteRecord::new();
        loop {
            match self.reader.read_byte_record(&mut record) {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => return Some(Err(error)),
            }
            let line = self.reader.position().line();
            // Lines that the record does not have itself were empty rows before it.
            let breaks = record.iter().flatten().filter(|byte| **byte == b'\n').count() as u64;
            let rows = (line - self.line).saturating_sub(breaks);
            self.row += usize::try_from(rows).unwrap_or(1).max(1);
            self.line = line;
            if let Some(last) = record.len().checked_sub(1)
                && let Some(cell) = record[last].strip_suffix(b"\r").map(<[u8]>::to_vec)
            {
                record.truncate(last);
                record.push_field(&cell);
            }
            if record.iter().any(|cell| !cell.trim_ascii().is_empty()) {
                return Some(Ok((self.row, record)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(text: &str) -> Vec<(usize, String)> {
        let rows = Rows::new(text.as_bytes()).map(Result::unwrap);
        rows.map(|(row, record)| (row, String::from_utf8_lossy(&record[0]).into_owned())).collect()
    }

    #[test]
    fn counted_as_a_spreadsheet_does() {
        let expected =
            |list: &[(usize, &str)]| list.iter().map(|(row, id)| (*row, (*id).to_owned())).collect();
        let numbered: Vec<_> = expected(&[(1, "id"), (2, "a\r\nb"), (5, "c"), (7, "d\n\ne"), (8, "f")]);
        assert_eq!(numbers("\u{feff}id,x\r\n\"a\r\nb\",\r\n,\r\n\r\nc,\r\n\r\n\"d\n\ne\",\r\nf,"), numbered);
        let numbered: Vec<_> = expected(&[(3, "id"), (5, "a"), (6, "b")]);
        assert_eq!(numbers("\n\nid\n\na\nb\n\n"), numbered);
        let numbered: Vec<_> = expected(&[(1, "id"), (2, "a"), (4, "b"), (6, "c"), (7, "d")]);
        assert_eq!(numbers("id\na\r\n\nb\r\n\r\n\"c\"\r\nd"), numbered, "however rows end");
        assert_eq!(numbers("\n \n"), []);
    }
}
