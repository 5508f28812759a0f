//! What requests and bytes cost in money. Kind: pure. Spec: PLN.

use super::plan::Plan;
use crate::error::{Code, Error, Result};
use serde::{Deserialize, Serialize};

/// The prices of one provider: a small JSON file, which users replace by their own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// Which service, where and when.
    pub source: String,
    pub currency: String,
    per_1000: PerRequests,
    per_gib: PerGib,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PerRequests {
    list: f64,
    get: f64,
    head: f64,
    put: f64,
    copy: f64,
    delete: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PerGib {
    read: f64,
    written: f64,
}

/// What a plan costs. Time of machines and storage are not in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    pub currency: String,
    pub requests: f64,
    pub transfer: f64,
    pub total: f64,
    pub source: String,
}

impl Prices {
    /// Those that come with lakebed: `aws`, `azure`, `gcp`.
    pub fn of(provider: &str) -> Option<Prices> {
        let text = match provider {
            "aws" => include_str!("aws.json"),
            "azure" => include_str!("azure.json"),
            "gcp" => include_str!("gcp.json"),
            _ => return None,
        };
        Prices::parse(text).ok()
    }
    /// From the text of such a file. `LB-INPUT` when it is none, or when a price is negative.
    pub fn parse(text: &str) -> Result<Prices> {
        let bad = |why: String| {
            Error::new(Code::INPUT, format!("the price list cannot be used: {why}"))
                .help("it has source, currency, per_1000 (list, get, head, put, copy, delete) and per_gib (read, written)")
        };
        let prices: Prices = serde_json::from_str(text).map_err(|e| bad(e.to_string()))?;
        let (n, b) = (prices.per_1000, prices.per_gib);
        if [n.list, n.get, n.head, n.put, n.copy, n.delete, b.read, b.written].iter().any(|price| *price < 0.0) {
            return Err(bad("a price is negative".to_owned()));
        }
        Ok(prices)
    }
    /// What a plan, planned or done, costs.
    pub fn cost(&self, plan: &Plan) -> Cost {
        let (n, price) = (&plan.requests, &self.per_1000);
        let each = [
            (n.list, price.list),
            (n.get, price.get),
            (n.head, price.head),
            (n.put, price.put),
            (n.copy, price.copy),
            (n.delete, price.delete),
        ];
        let requests = each.iter().map(|(count, price)| *count as f64 / 1_000.0 * price).sum();
        let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
        let transfer = gib(plan.bytes_read) * self.per_gib.read + gib(plan.bytes_written) * self.per_gib.written;
        Cost { currency: self.currency.clone(), requests, transfer, total: requests + transfer, source: self.source.clone() }
    }
}
