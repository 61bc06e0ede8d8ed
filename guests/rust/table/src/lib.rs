//! Sums up a table in CSV.

use std::collections::BTreeMap;

use homestar::blocks::files::Sink;

wit_bindgen::generate!({
    path: ["../../../wit", "wit"],
    world: "homestar:table/table",
    generate_all,
});

/// How much is read at once.
const STEP: u32 = 256 * 1024;

struct Table;

impl Guest for Table {
    fn sum(csv: &Blob, by: String, of: String) -> Result<Vec<Group>, String> {
        let mut rows = Rows::new(csv);
        let head = rows.next()?.ok_or("the table is empty")?;
        let head: Vec<_> = head.split(',').map(str::to_owned).collect();
        let column = |name: &str| {
            let found = head.iter().position(|column| column == name);
            found.ok_or_else(|| format!("there is no column {name:?}"))
        };
        let (by, of) = (column(&by)?, column(&of)?);
        let mut groups = BTreeMap::<String, (u64, f64)>::new();
        while let Some(row) = rows.next()? {
            let fields: Vec<_> = row.split(',').collect();
            let (Some(key), Some(number)) = (fields.get(by), fields.get(of)) else {
                return Err(format!("a row is too short: {row:?}"));
            };
            let number: f64 = number
                .parse()
                .map_err(|_| format!("{number:?} is no number"))?;
            let (count, sum) = groups.entry((*key).to_owned()).or_default();
            *count += 1;
            *sum += number;
        }
        let group = |(key, (count, sum)): (String, (u64, f64))| Group {
            key,
            count,
            sum,
            mean: sum / count as f64,
        };
        Ok(groups.into_iter().map(group).collect())
    }

    fn row(csv: &Blob, row: u64) -> Result<String, String> {
        let head = Rows::new(csv).next()?.ok_or("the table is empty")?;
        let length = head.len() as u64 + 1;
        let bytes = csv
            .read(length * (row + 1), length as u32)
            .map_err(|error| format!("{error:?}"))?;
        Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned())
    }

    fn report(csv: &Blob, by: String, of: String) -> Result<Blob, String> {
        let report = Sink::create().map_err(|error| format!("{error:?}"))?;
        report.write(b"key,count,sum,mean\n");
        for Group {
            key,
            count,
            sum,
            mean,
        } in Self::sum(csv, by, of)?
        {
            report.write(format!("{key},{count},{sum},{mean}\n").as_bytes());
        }
        Sink::finish(report).map_err(|error| format!("{error:?}"))
    }
}

/// The rows of a file, from front to back.
struct Rows<'a> {
    file: &'a Blob,
    offset: u64,
    bytes: Vec<u8>,
    /// Where in `bytes` the next row begins.
    at: usize,
}

impl<'a> Rows<'a> {
    fn new(file: &'a Blob) -> Self {
        Self {
            file,
            offset: 0,
            bytes: Vec::new(),
            at: 0,
        }
    }

    fn next(&mut self) -> Result<Option<String>, String> {
        loop {
            let rest = &self.bytes[self.at..];
            if let Some(length) = rest.iter().position(|byte| *byte == b'\n') {
                let row = String::from_utf8_lossy(&rest[..length]).into_owned();
                self.at += length + 1;
                return Ok(Some(row));
            }
            let more = self
                .file
                .read(self.offset, STEP)
                .map_err(|error| format!("{error:?}"))?;
            self.offset += more.len() as u64;
            self.bytes.drain(..self.at);
            self.at = 0;
            if more.is_empty() {
                let last = std::mem::take(&mut self.bytes);
                let last = String::from_utf8_lossy(&last).into_owned();
                return Ok((!last.is_empty()).then_some(last));
            }
            self.bytes.extend_from_slice(&more);
        }
    }
}

export!(Table);
