//! Tables of products: CSV as spreadsheets write it, and JSON.

use std::borrow::Cow;

use campanile_engine::product::{MAX_PRODUCTS, Patch, ProductId, Row, RowError};
use campanile_expiry::ExpiryDate;
use campanile_model::{Topic, UserId};
use csv::ByteRecord;
use serde::de::DeserializeSeed as _;
use serde_json::Number;
use serde_json::value::RawValue;

use super::super::batch::Entries;
use super::super::body::{self, expectation};
use super::super::problem::{self, Problem, RowProblem};
use crate::rows::Rows;

/// Longest name of an unknown column that is worth repeating to whoever sent it.
const MAX_ECHOED_NAME: usize = 64;

/// What a column says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Id,
    Name,
    Owners,
    Topic,
    ExpiryDate,
    Quantity,
    Notes,
}

impl Column {
    const ALL: [Self; 7] =
        [Self::Id, Self::Name, Self::Owners, Self::Topic, Self::ExpiryDate, Self::Quantity, Self::Notes];

    fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Name => "name",
            Self::Owners => "owners",
            Self::Topic => "topic",
            Self::ExpiryDate => "expiryDate",
            Self::Quantity => "quantity",
            Self::Notes => "notes",
        }
    }
}

/// Reads a CSV (RFC 4180, UTF-8). Rows have the numbers that a spreadsheet shows: the header is row 1, and empty
/// rows count, but say nothing.
///
/// # Errors
/// Where the header is wrong, or there are more than [`MAX_PRODUCTS`] rows. Errors of rows are among the rows.
pub(super) fn csv(bytes: &[u8]) -> Result<Vec<Row>, Problem> {
    let (mut columns, mut rows): (Option<Vec<Column>>, Vec<Row>) = (None, Vec::new());
    // It reads from memory and takes rows of any length: it has no other error than its end.
    for (row, record) in Rows::new(bytes).map_while(Result::ok) {
        match &columns {
            None => columns = Some(header(&record, row)?),
            // A row takes far more room than its text: what is too much is not read.
            Some(_) if rows.len() == MAX_PRODUCTS => return Err(too_many()),
            Some(columns) => rows.push(Row { row, said: said(columns, &record, row) }),
        }
    }
    match columns {
        Some(_) => Ok(rows),
        None => Err(wrong_header(1, "", "the table has no header".into())),
    }
}

fn header(record: &ByteRecord, row: usize) -> Result<Vec<Column>, Problem> {
    let mut columns = Vec::with_capacity(record.len());
    for cell in record {
        let name = std::str::from_utf8(cell).unwrap_or_default().trim();
        let Some(column) = Column::ALL.into_iter().find(|column| column.name() == name) else {
            let shown = if name.len() <= MAX_ECHOED_NAME { format!(" `{name}`") } else { String::new() };
            let known = Column::ALL.map(Column::name).join(", ");
            return Err(wrong_header(row, "", format!("unknown column{shown}, expected some of {known}")));
        };
        if columns.contains(&column) {
            return Err(wrong_header(row, column.name(), "the column is there twice".into()));
        }
        columns.push(column);
    }
    if columns.contains(&Column::Id) {
        Ok(columns)
    } else {
        Err(wrong_header(row, "id", "the column is missing".into()))
    }
}

fn wrong_header(row: usize, field: &'static str, detail: String) -> Problem {
    let error = RowError { row, field: field.into(), detail };
    let detail = format!("the header is wrong: {}", error.detail);
    Problem::new(&problem::INVALID_ROWS).detail(detail).rows(1, vec![RowProblem::from(error)])
}

fn said(columns: &[Column], record: &ByteRecord, row: usize) -> Result<Patch, RowError> {
    let wrong = |field: &'static str, detail: String| RowError { row, field: field.into(), detail };
    if record.len() != columns.len() {
        let detail = format!("the row has {} cells and the header {}", record.len(), columns.len());
        return Err(wrong("", detail));
    }
    let mut patch = Patch::default();
    for (column, cell) in columns.iter().zip(record) {
        let name = column.name();
        let text = std::str::from_utf8(cell);
        let text = text.map_err(|_| wrong(name, "the cell is not UTF-8: save the table as such".into()))?;
        set(&mut patch, *column, text).map_err(|detail| wrong(name, detail))?;
    }
    Ok(patch)
}

fn set(patch: &mut Patch, column: Column, cell: &str) -> Result<(), String> {
    let text = cell.trim();
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    match column {
        Column::Id => patch.id = Some(ProductId::new(text).map_err(|error| error.to_string())?),
        Column::Name => patch.name = Some(text.to_owned()),
        Column::ExpiryDate => {
            patch.expiry_date = Some(ExpiryDate::parse(text).map_err(|error| error.to_string())?);
        }
        Column::Owners => {
            let owners = text.split(';').map(str::trim).filter(|owner| !owner.is_empty());
            let owners = owners.map(UserId::new).collect::<Result<Vec<_>, _>>();
            let owners = owners.map_err(|error| error.to_string())?;
            patch.owners = Some(Some(owners).filter(|owners| !owners.is_empty()));
        }
        Column::Topic => {
            let topic = some(text).map(|text| Topic::new(&text)).transpose();
            patch.topic = Some(topic.map_err(|error| error.to_string())?);
        }
        Column::Quantity => {
            let quantity = some(text).map(|text| text.parse::<Number>()).transpose();
            patch.quantity = Some(quantity.map_err(|_| "a quantity is a number, such as 3 or 2.5")?);
        }
        Column::Notes => patch.notes = Some(some(cell)),
    }
    Ok(())
}

/// Reads a JSON array. Rows are numbered from 1.
///
/// # Errors
/// Where it is no array, or has more than [`MAX_PRODUCTS`] entries. Errors of rows are among the rows.
pub(super) fn json(bytes: &[u8]) -> Result<Vec<Row>, Problem> {
    let mut rows: Vec<&RawValue> = Vec::new();
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let entries = Entries { drafts: &mut rows, limit: MAX_PRODUCTS, noun: "products" };
    match entries.deserialize(&mut deserializer).and_then(|()| deserializer.end()) {
        Ok(()) => {}
        // An entry may be anything, so it was their number.
        Err(error) if error.is_data() && rows.len() == MAX_PRODUCTS => return Err(too_many()),
        Err(error) => return Err(body::refuse(&error)),
    }
    let read = |(place, raw): (usize, &RawValue)| {
        let row = place + 1;
        let said = serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(raw.get()));
        Row { row, said: said.map_err(|error| misread(row, &error)) }
    };
    Ok(rows.into_iter().enumerate().map(read).collect())
}

fn too_many() -> Problem {
    Problem::new(&problem::LIMIT_EXCEEDED)
        .detail(format!("an import has at most {MAX_PRODUCTS} rows; send several"))
}

fn misread(row: usize, error: &serde_path_to_error::Error<serde_json::Error>) -> RowError {
    let text = error.inner().to_string();
    let place = format!(" at line {} column {}", error.inner().line(), error.inner().column());
    let detail = expectation(text.strip_suffix(&place).unwrap_or(&text), "member");
    // An unknown member's path is what was sent.
    let path = error.path().to_string();
    let named = path != "." && !detail.starts_with("unknown");
    RowError { row, field: if named { Cow::Owned(path) } else { Cow::Borrowed("") }, detail }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Row number and id, or the column and error.
    fn read(text: &[u8]) -> Vec<(usize, String)> {
        let rows = csv(text).unwrap_or_else(|problem| panic!("{problem:?}")).into_iter();
        rows.map(|row| match row.said {
            Ok(patch) => (row.row, patch.id.unwrap().to_string()),
            Err(error) => (error.row, format!("{}: {}", error.field, error.detail)),
        })
        .collect()
    }

    fn refused(text: &str) -> String {
        format!("{:?}", csv(text.as_bytes()).unwrap_err())
    }

    #[test]
    fn rows_have_the_numbers_of_a_spreadsheet() {
        let text =
            "\u{feff}id,notes\r\na,\"two\r\nlines\"\r\nb,\r\n\r\n,\r\n\"c\",\"a \"\"quote\"\"\"\r\n\n\nd,x";
        let ids: Vec<_> = read(text.as_bytes());
        let expected = [(2, "a"), (3, "b"), (6, "c"), (9, "d")].map(|(row, id)| (row, id.to_owned()));
        assert_eq!(ids, expected);
        let notes = |row: usize| csv(text.as_bytes()).unwrap().swap_remove(row).said.unwrap().notes;
        assert_eq!(notes(0), Some(Some("two\r\nlines".to_owned())));
        assert_eq!(notes(1), Some(None));
        assert_eq!(notes(2), Some(Some("a \"quote\"".to_owned())));
        assert_eq!(read(b"\n\nid\n\"a\nb\"\nc\n").len(), 2);
        assert_eq!(read(b"\n\nid\n\na\nb\n\n"), [(5, "a".into()), (6, "b".into())]);
    }

    #[test]
    fn what_is_too_much_is_not_read() {
        let is_too_much = |problem: Problem| assert_eq!(problem.code(), &problem::LIMIT_EXCEEDED);
        let rows = |count: usize| format!("id\n{}", "a\n\n".repeat(count));
        assert_eq!(csv(rows(MAX_PRODUCTS).as_bytes()).unwrap().len(), MAX_PRODUCTS);
        is_too_much(csv(rows(MAX_PRODUCTS + 1).as_bytes()).unwrap_err());
        let entries = |count: usize, end: &str| format!("[{}0{end}", "0,".repeat(count - 1));
        assert_eq!(json(entries(MAX_PRODUCTS, "]").as_bytes()).unwrap().len(), MAX_PRODUCTS);
        is_too_much(json(entries(MAX_PRODUCTS + 1, "").as_bytes()).unwrap_err());
        assert_eq!(json(entries(MAX_PRODUCTS, "").as_bytes()).unwrap_err().code(), &problem::INVALID_JSON);
    }

    #[test]
    fn every_column() {
        let text =
            "quantity,id,name,owners,topic,expiryDate,notes\n2.5, milk ,Milk,ann; bob ;,,2026-01-31, n\n";
        let patch = csv(text.as_bytes()).unwrap().remove(0).said.unwrap();
        let owners = ["ann", "bob"].map(|owner| UserId::new(owner).unwrap()).to_vec();
        assert_eq!((patch.id.unwrap().as_str(), patch.name.as_deref()), ("milk", Some("Milk")));
        assert_eq!((patch.owners, patch.topic), (Some(Some(owners)), Some(None)));
        assert_eq!(patch.quantity, Some(Number::from_f64(2.5)));
        assert_eq!(patch.notes, Some(Some(" n".to_owned())));
        assert_eq!(patch.ladder, None, "what no column names stays as it is");
    }

    #[test]
    fn cells_are_refused_by_row_and_column() {
        let text = b"id,expiryDate,quantity\na,31.01.2026,1\nb,2026-01-31,few\nimport,2026-01-31,1\nc,2026-01-31\n\xff,2026-01-31,1\n";
        let errors = read(text);
        let starts = [
            (2, "expiryDate: an expiry date is"),
            (3, "quantity: a quantity is a number"),
            (4, "id: a product id is"),
            (5, ": the row has 2 cells and the header 3"),
            (6, "id: the cell is not UTF-8"),
        ];
        assert_eq!(errors.len(), starts.len());
        for ((row, error), (expected, start)) in errors.iter().zip(starts) {
            assert!(*row == expected && error.starts_with(start), "{row} {error}");
        }
    }

    #[test]
    fn a_wrong_header_is_named() {
        assert!(refused("").contains("no header"));
        assert!(refused("id,colour\n").contains("unknown column `colour`, expected some of id, name"));
        assert!(refused("id;name\n").contains("`id;name`"));
        assert!(refused("name\n").contains("the column is missing"));
        assert!(refused("id,id\n").contains("twice"));
        assert!(!refused(&format!("id,{}\n", "secret".repeat(20))).contains("secret"));
    }

    #[test]
    fn json_rows_are_refused_one_by_one() {
        let text = r#"[{"id":"a"},{"id":7},{"id":"b","owners":["x",""]},{"id":"c","colour":"secret"},7]"#;
        let rows = json(text.as_bytes()).unwrap();
        assert!(rows[0].said.is_ok());
        let error = |row: usize| {
            let error = rows[row].said.as_ref().unwrap_err();
            (error.row, error.field.to_string(), error.detail.clone())
        };
        assert_eq!((error(1).0, error(1).1), (2, "id".into()));
        assert_eq!(error(2).1, "owners[1]");
        assert!(error(3).2.starts_with("unknown member `colour`"), "{:?}", error(3));
        assert!(!format!("{:?}", error(3)).contains("secret"));
        assert!(rows[4].said.is_err());
        assert!(json(b"{}").is_err() && json(b"[").is_err());
    }
}
