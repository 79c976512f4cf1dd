//! karpathy/autoresearch's `results.tsv`: a header, then
//! `commit <tab> val_bpb <tab> memory_gb <tab> status <tab> description`. Crashes have zeros.

use std::collections::BTreeMap;

use super::parse_status;
use crate::error::Result;
use crate::flow::decision::Direction;
use crate::flow::entry::{Entry, Segment, Source};
use crate::flow::ledger::Place;
use crate::flow::record::Status;

/// The columns of one table. The second is the metric, whatever its name; lower is better.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Table {
    columns: Vec<String>,
    status: usize,
}

impl Table {
    /// Whether a file's first line begins such a table.
    pub(crate) fn is_header(text: &str) -> bool {
        text.starts_with("commit\t")
    }

    /// Reads the header.
    pub(crate) fn open(text: &str, place: Place<'_>) -> Result<(Self, Segment)> {
        let columns: Vec<String> = text.trim_end().split('\t').map(str::to_owned).collect();
        let status = columns
            .iter()
            .position(|column| column == "status")
            .filter(|index| *index >= 2)
            .ok_or_else(|| place.error("the header has no `status` column after the metric"))?;
        if let Some(twice) = (1..columns.len()).find(|at| columns[1..*at].contains(&columns[*at])) {
            let name = &columns[twice];
            return Err(place.error(format!("the header names `{name}` a second time")));
        }
        let segment = Segment {
            metric_name: columns[1].clone(),
            direction: Direction::Lower,
            ..Segment::unnamed(0)
        };
        Ok((Self { columns, status }, segment))
    }

    /// Reads a row; rows are numbered by the reader.
    pub(crate) fn row(&self, text: &str, run: u64, place: Place<'_>) -> Result<Entry> {
        let cells: Vec<&str> = text
            .trim_end_matches('\r')
            .splitn(self.columns.len(), '\t')
            .collect();
        if cells.len() < self.columns.len() {
            return Err(place.error(format!(
                "{} columns where the header has {}",
                cells.len(),
                self.columns.len()
            )));
        }
        let status = parse_status(cells[self.status].trim(), place)?;
        let mut values = BTreeMap::new();
        for (column, cell) in self.columns.iter().zip(&cells).take(self.status).skip(1) {
            let value: f64 = cell
                .trim()
                .parse()
                .ok()
                .filter(|value: &f64| value.is_finite())
                .ok_or_else(|| place.error(format!("`{column}`: {cell:?} is no finite number")))?;
            values.insert(column.clone(), value);
        }
        let metric = values.remove(&self.columns[1]);
        Ok(Entry {
            run,
            status,
            reason: None,
            commit: cells[0].trim().to_owned(),
            metric: metric.filter(|value| status != Status::Crash || *value != 0.0),
            metrics: values,
            description: cells[self.status + 1..].join(" ").trim().to_owned(),
            timestamp_ms: None,
            segment: 0,
            confidence: None,
            asi: None,
            source: Source::Karpathy,
        })
    }
}
