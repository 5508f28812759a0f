use crate::env::seeds::seeds;
use crate::expr::{ColumnStats, Expr, Pruner};
use crate::schema::{DataType, Field, FieldPath, Scalar, Struct};
use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, StringArray, UInt64Array, make_comparator, new_null_array,
};
use arrow::compute::{SortOptions, concat};
use std::collections::HashMap;
use std::sync::Arc;

/// Minimum, maximum and null count.
type Leaf = (Option<ArrayRef>, Option<ArrayRef>, Option<UInt64Array>);

/// Statistics as literal columns.
#[derive(Default)]
struct Stats {
    containers: usize,
    rows: Option<UInt64Array>,
    columns: HashMap<FieldPath, Leaf>,
}

impl ColumnStats for Stats {
    fn containers(&self) -> usize {
        self.containers
    }
    fn min(&self, column: &FieldPath) -> Option<ArrayRef> {
        self.columns.get(column)?.0.clone()
    }
    fn max(&self, column: &FieldPath) -> Option<ArrayRef> {
        self.columns.get(column)?.1.clone()
    }
    fn null_count(&self, column: &FieldPath) -> Option<UInt64Array> {
        self.columns.get(column)?.2.clone()
    }
    fn row_count(&self) -> Option<UInt64Array> {
        self.rows.clone()
    }
}

fn schema() -> Struct {
    let field = |name: &str, data_type: DataType| Field::new(name, data_type, true);
    let inner = Struct { fields: vec![field("n", DataType::Integer)] };
    Struct {
        fields: vec![
            field("i", DataType::Long),
            field("s", DataType::String),
            field("d", DataType::Double),
            field("b", DataType::Boolean),
            field("t", DataType::Timestamp),
            field("p", DataType::Decimal { precision: 10, scale: 2 }),
            field("o", DataType::Struct(inner)),
        ],
    }
}

fn path(name: &str) -> FieldPath {
    name.split('.').map(str::to_owned).collect()
}

fn pruner(text: &str) -> Pruner {
    let schema = schema();
    let bound = Expr::sql(text).and_then(|e| e.bind(&schema)).unwrap_or_else(|e| panic!("{text}: {e}"));
    Pruner::new(&bound, &schema).unwrap()
}

/// Which of three containers are kept: i in [1, 5] without nulls, i in [10, 20] with some, i all null.
fn kept(text: &str) -> Vec<bool> {
    let longs = |v: [Option<i64>; 3]| Some(Arc::new(Int64Array::from(v.to_vec())) as ArrayRef);
    let texts = |v: [Option<&str>; 3]| Some(Arc::new(StringArray::from(v.to_vec())) as ArrayRef);
    let mut stats = Stats { containers: 3, rows: Some(UInt64Array::from(vec![5, 5, 5])), columns: HashMap::new() };
    let nulls = || Some(UInt64Array::from(vec![0, 2, 5]));
    stats.columns.insert(path("i"), (longs([Some(1), Some(10), None]), longs([Some(5), Some(20), None]), nulls()));
    stats.columns.insert(path("s"), (texts([Some("ab"), Some("x1"), None]), texts([Some("b"), Some("x9"), None]), nulls()));
    pruner(text).keep(&stats).unwrap().iter().map(|v| v.unwrap()).collect()
}

#[test]
fn comparisons_prune_by_bounds() {
    // spec: EXP-11
    for (text, expected) in [
        ("i = 3", [true, false, false]),
        ("i = 7", [false, false, false]),
        ("i > 5", [false, true, false]),
        ("i >= 5", [true, true, false]),
        ("i < 10", [true, false, false]),
        ("i <= 10", [true, true, false]),
        ("i <> 3", [true, true, false]),
        ("i in (7, 12)", [false, true, false]),
        ("i in (-1, 6, 7, 8, 9, 21, 22, 23, 24, 25)", [false, false, false]),
        ("i in (-1, 6, 7, 8, 9, 20, 22, 23, 24, 25)", [false, true, false]),
        ("i between 4 and 11", [true, true, false]),
        ("i > 2.5 and i < 9.5", [true, false, false]),
        ("i <=> 12", [false, true, false]),
        ("5 >= i", [true, false, false]),
        ("i = '12'", [false, true, false]),
        ("i > 99999999999999999999", [false, false, false]),
        ("s = 'x5'", [false, true, false]),
        ("s like 'x5%'", [false, true, false]),
        ("s like 'a%z'", [true, false, false]),
        ("startswith(s, 'abc')", [true, false, false]),
        ("s not like 'x%'", [true, false, false]),
        ("s not like 'x%9'", [true, true, true]),
        ("i = 3 or s = 'x5'", [true, true, false]),
        ("i = 3 and s = 'x5'", [false, false, false]),
        ("true", [true, true, true]),
        ("i = null", [false, false, false]),
        ("i + 1 = 100", [true, true, true]),
        ("(i = 3) is null", [true, true, true]),
        ("(i = 3) is true", [true, false, false]),
    ] {
        assert_eq!(kept(text), expected, "{text}");
    }
}

#[test]
fn null_counts_prune_null_tests() {
    // spec: EXP-13
    assert_eq!(kept("i is null"), [false, true, true]);
    assert_eq!(kept("i is not null"), [true, true, false]);
    assert_eq!(kept("i <=> null"), [false, true, true]);
    assert_eq!(kept("not (i <=> 3)"), [true, true, true]);
    assert_eq!(kept("o is null"), [true, true, true]);
}

#[test]
fn negations_prune_like_their_opposites() {
    // spec: EXP-14
    for (text, same) in [
        ("not (i > 5)", "i <= 5"),
        ("not (i = 3 or s = 'b')", "i <> 3 and s <> 'b'"),
        ("not (i < 10 and s < 'x')", "i >= 10 or s >= 'x'"),
        ("i not in (3, null)", "false"),
        ("not (i is null)", "i is not null"),
        ("not not (i = 3)", "i = 3"),
    ] {
        assert_eq!(kept(text), kept(same), "{text}");
    }
}

#[test]
fn unknown_statistics_keep_everything() {
    // spec: EXP-11
    let stats = Stats { containers: 2, ..Stats::default() };
    for text in ["i = 3", "i is null", "s like 'x%'", "not b", "i in (1, 2)", "o.n = 1", "year(t) = 2020", "s not like 'x%'"] {
        assert_eq!(pruner(text).keep(&stats).unwrap().true_count(), 2, "{text}");
    }
    assert_eq!(pruner("o.n = 1 and i = 2").columns(), [path("o.n"), path("i")]);
}

#[test]
fn functions_that_rise_prune_through_their_column() {
    // spec: EXP-15
    let day = 86_400_000_000i64;
    let times = |v: [i64; 2]| Some(Arc::new(arrow::array::TimestampMicrosecondArray::from(v.to_vec()).with_timezone("UTC")) as ArrayRef);
    let mut stats = Stats { containers: 2, ..Stats::default() };
    stats.columns.insert(path("t"), (times([0, 18_262 * day]), times([day - 1, 18_300 * day]), None));
    let kept = |text: &str| pruner(text).keep(&stats).unwrap().iter().map(|v| v.unwrap()).collect::<Vec<_>>();
    assert_eq!(kept("date(t) = '1970-01-01'"), [true, false]);
    assert_eq!(kept("cast(t as date) > '1970-01-01'"), [false, true]);
    assert_eq!(kept("year(t) = 2020"), [false, true]);
    assert_eq!(kept("not (year(t) >= 2020)"), [true, false]);
    assert_eq!(kept("month(t) = 7"), [true, true]);
}

struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % n
    }
    fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize].clone()
    }
}

const LEAVES: [&str; 7] = ["i", "s", "d", "b", "t", "p", "o.n"];

fn value(random: &mut Random, leaf: &str) -> Scalar {
    if random.below(6) == 0 {
        return Scalar::Null;
    }
    match leaf {
        "i" => Scalar::Long(random.pick(&[-3, -1, 0, 1, 2, 7, i64::MAX, i64::MIN])),
        "s" => Scalar::String(random.pick(&["", "a", "ab", "abc", "abd", "b", "\u{7f}", "é", "\u{10ffff}", "zz"]).to_owned()),
        "d" => Scalar::Double(random.pick(&[-1.5, -0.0, 0.0, 1.5, 2.0, f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY])),
        "b" => Scalar::Boolean(random.below(2) == 0),
        "t" => Scalar::Timestamp(random.pick(&[-1, 0, 1, 86_399_999_999, 86_400_000_000, 1_577_836_800_000_000])),
        "p" => Scalar::Decimal { value: random.pick(&[-150, -1, 0, 1, 150, 999_999]), precision: 10, scale: 2 },
        _ => Scalar::Integer(random.pick(&[-2, 0, 1, 5, i32::MAX])),
    }
}

fn literal(random: &mut Random, leaf: &str) -> String {
    if random.below(12) == 0 {
        return "null".to_owned();
    }
    match leaf {
        "i" => random.pick(&["-1", "0", "1", "1.5", "2.0", "9223372036854775808", "7", "'2'"]).to_owned(),
        "s" => random.pick(&["''", "'a'", "'ab'", "'abcd'", "'b'", "'é'"]).to_owned(),
        "d" => random.pick(&["-1.5", "0", "-0.0D", "1.5", "1", "'NaN'", "'Infinity'", "'-Infinity'"]).to_owned(),
        "b" => random.pick(&["true", "false"]).to_owned(),
        "t" => random.pick(&["'1970-01-01'", "date '1970-01-02'", "'1969-12-31 23:59:59.999999'", "'2020-01-01'"]).to_owned(),
        "p" => random.pick(&["-1.5", "0", "0.005", "1.50", "1e0", "99999999999"]).to_owned(),
        _ => random.pick(&["-2", "0", "0.5", "5", "3000000000", "2147483647L"]).to_owned(),
    }
}

fn predicate(random: &mut Random, depth: u64) -> String {
    let join = |random: &mut Random, op: &str| {
        let (a, b) = (predicate(random, depth - 1), predicate(random, depth - 1));
        format!("({a} {op} {b})")
    };
    match random.below(if depth == 0 { 1 } else { 6 }) {
        1 => join(random, "and"),
        2 => join(random, "or"),
        3 => format!("not ({})", predicate(random, depth - 1)),
        4 => format!("({}) is {} {}", predicate(random, depth - 1), random.pick(&["", "not"]), random.pick(&["true", "false", "null"])),
        _ => {
            let leaf = random.pick(&LEAVES);
            let op = random.pick(&["=", "<>", "<", "<=", ">", ">=", "<=>"]);
            match random.below(9) {
                0 => format!("{leaf} is null"),
                1 => format!("{leaf} is not null"),
                2 | 3 => {
                    let list: Vec<String> = (0..1 + random.below(14)).map(|_| literal(random, leaf)).collect();
                    format!("{leaf} {} ({})", random.pick(&["in", "not in"]), list.join(", "))
                }
                4 if leaf == "s" => {
                    let pattern = random.pick(&["a%", "%", "ab", "ab%c", "a_%", "\u{10ffff}%", "%b"]);
                    format!("s {} '{pattern}'", random.pick(&["like", "not like"]))
                }
                4 if leaf == "b" => "b".to_owned(),
                4 if leaf == "t" => format!("date(t) {op} '1970-01-02'"),
                4 if leaf == "i" => format!("cast(i as double) {op} 1.5D"),
                5 if leaf == "t" => format!("year(t) {op} 1970"),
                5 => format!("{leaf} between {} and {}", literal(random, leaf), literal(random, leaf)),
                _ => format!("{leaf} {op} {}", literal(random, leaf)),
            }
        }
    }
}

fn order(a: &Scalar, b: &Scalar, data_type: &DataType) -> std::cmp::Ordering {
    let [a, b] = [a, b].map(|value| value.to_array(data_type, 1).unwrap());
    make_comparator(&a, &b, SortOptions::default()).unwrap()(0, 0)
}

/// Bounds of some values as a careful writer keeps them: NaN left out, text cut short, anything missing at random.
fn bounds(random: &mut Random, values: &[Scalar], data_type: &DataType) -> (Scalar, Scalar) {
    let nan = |v: &Scalar| matches!(v, Scalar::Double(d) if d.is_nan());
    let seen: Vec<&Scalar> = values.iter().filter(|v| **v != Scalar::Null && !nan(v)).collect();
    let least = seen.iter().copied().min_by(|a, b| order(a, b, data_type));
    let most = seen.iter().copied().max_by(|a, b| order(a, b, data_type));
    let (mut low, mut high) = (least.cloned().unwrap_or(Scalar::Null), most.cloned().unwrap_or(Scalar::Null));
    if random.below(3) == 0 {
        if let Scalar::String(s) = &low {
            low = Scalar::String(s.chars().take(1).collect());
        }
        if let Scalar::String(s) = &high
            && !s.starts_with('\u{10ffff}')
        {
            high = Scalar::String(s.chars().take(1).chain(['\u{10ffff}']).collect());
        }
    }
    if let (Scalar::Double(h), true) = (&high, random.below(4) == 0) {
        high = if values.iter().any(nan) { Scalar::Double(f64::NAN) } else { Scalar::Double(if *h == 0.0 { -0.0 } else { *h }) };
    }
    if random.below(5) == 0 {
        low = Scalar::Null;
    }
    if random.below(5) == 0 {
        high = Scalar::Null;
    }
    (low, high)
}

fn column(values: &[Scalar], data_type: &DataType) -> ArrayRef {
    let arrays: Vec<ArrayRef> = values.iter().map(|v| v.to_array(data_type, 1).unwrap()).collect();
    concat(&arrays.iter().map(|a| a.as_ref()).collect::<Vec<_>>()).unwrap()
}

#[test]
fn no_container_with_a_matching_row_is_ever_dropped() {
    // spec: EXP-6, EXP-11, EXP-12
    let schema = schema();
    let (mut dropped, mut asked) = (0, 0);
    for seed in seeds(0..=59) {
        let mut random = Random(seed);
        let containers = 12;
        let mut stats = Stats { containers, ..Stats::default() };
        let sizes: Vec<u64> = (0..containers).map(|_| 1 + random.below(5)).collect();
        stats.rows = Some(sizes.iter().map(|n| if random.below(6) == 0 { None } else { Some(*n) }).collect());
        let mut arrays: HashMap<&str, Vec<ArrayRef>> = HashMap::new();
        for leaf in LEAVES {
            let data_type = match leaf {
                "o.n" => DataType::Integer,
                name => schema.field(name).unwrap().data_type.clone(),
            };
            let (mut lows, mut highs, mut nulls) = (Vec::new(), Vec::new(), Vec::new());
            for size in &sizes {
                let spread = 1 + random.below(8);
                let pool: Vec<Scalar> = (0..spread).map(|_| value(&mut random, leaf)).collect();
                let values: Vec<Scalar> = (0..*size).map(|_| random.pick(&pool)).collect();
                let (low, high) = bounds(&mut random, &values, &data_type);
                lows.push(low);
                highs.push(high);
                let count = values.iter().filter(|v| **v == Scalar::Null).count() as u64;
                nulls.push(if random.below(4) == 0 { None } else { Some(count) });
                arrays.entry(leaf).or_default().push(column(&values, &data_type));
            }
            let known = |random: &mut Random, a: ArrayRef| if random.below(8) == 0 { None } else { Some(a) };
            let low = known(&mut random, column(&lows, &data_type));
            let high = known(&mut random, column(&highs, &data_type));
            stats.columns.insert(path(leaf), (low, high, Some(UInt64Array::from(nulls))));
        }
        let arrow = Arc::new(schema.to_arrow().unwrap());
        let batches: Vec<RecordBatch> = (0..containers)
            .map(|c| {
                let columns = schema.fields.iter().map(|f| match f.name.as_str() {
                    "o" => {
                        let leaf = Arc::clone(&arrays["o.n"][c]);
                        let arrow::datatypes::DataType::Struct(fields) = f.data_type.to_arrow().unwrap() else { unreachable!() };
                        // A null parent hides whatever its child holds.
                        let nulls = leaf.nulls().cloned();
                        let child = if nulls.is_some() && c % 2 == 0 {
                            column(&vec![Scalar::Integer(5); leaf.len()], &DataType::Integer)
                        } else {
                            Arc::clone(&leaf)
                        };
                        if c % 2 == 0 && nulls.is_some() {
                            let child = arrow::compute::kernels::zip::zip(&arrow::compute::is_null(&leaf).unwrap(), &child, &leaf).unwrap();
                            Arc::new(arrow::array::StructArray::new(fields, vec![child], nulls)) as ArrayRef
                        } else {
                            Arc::new(arrow::array::StructArray::new(fields, vec![child], None)) as ArrayRef
                        }
                    }
                    name => Arc::clone(&arrays[name][c]),
                });
                RecordBatch::try_new(Arc::clone(&arrow), columns.collect()).unwrap()
            })
            .collect();
        for _ in 0..80 {
            let text = predicate(&mut random, 3);
            let bind = |text: &str| Expr::sql(text).and_then(|e| e.bind(&schema)).unwrap_or_else(|e| panic!("seed {seed}: {text}: {e}"));
            let (bound, negated, unknown) = (bind(&text), bind(&format!("not ({text})")), bind(&format!("({text}) is null")));
            let canonical = bind(&bound.to_sql());
            let keep = Pruner::new(&bound, &schema).unwrap().keep(&stats).unwrap();
            let keep_not = Pruner::new(&negated, &schema).unwrap().keep(&stats).unwrap();
            for (c, batch) in batches.iter().enumerate() {
                let matched = bound.matches(batch).unwrap();
                let (yes, no) = (matched.true_count(), negated.matches(batch).unwrap().true_count());
                let null = unknown.matches(batch).unwrap().true_count();
                assert_eq!(yes + no + null, batch.num_rows(), "seed {seed}: {text}");
                assert_eq!(canonical.matches(batch).unwrap(), matched, "seed {seed}: {text} and {}", bound.to_sql());
                assert!(keep.value(c) || yes == 0, "seed {seed}: `{text}` dropped container {c}: {batch:?}");
                assert!(keep_not.value(c) || no == 0, "seed {seed}: not `{text}` dropped container {c}: {batch:?}");
                asked += 1;
                dropped += usize::from(!keep.value(c));
            }
        }
    }
    assert!(dropped * 10 > asked, "pruning has become useless: {dropped} of {asked}");
}

#[test]
fn float_upper_bounds_do_not_hide_nan() {
    // spec: EXP-12
    let doubles = |v: Vec<f64>| Some(Arc::new(arrow::array::Float64Array::from(v)) as ArrayRef);
    let mut stats = Stats { containers: 2, ..Stats::default() };
    stats.columns.insert(path("d"), (doubles(vec![1.0, -0.0]), doubles(vec![2.0, -0.0]), None));
    let kept = |text: &str| pruner(text).keep(&stats).unwrap().iter().map(|v| v.unwrap()).collect::<Vec<_>>();
    for text in ["d > 5", "d >= 5", "d <> 3", "not (d <= 5)", "d = 'NaN'", "d <> 0", "d in ('NaN', 9, 8, 7, 6, 5, 4, 3, -1)"] {
        assert_eq!(kept(text), [true, true], "{text}");
    }
    assert_eq!(kept("d < 1"), [false, true]);
    assert_eq!(kept("d = 0.0"), [false, true]);
    assert_eq!(kept("d = 5"), [false, false]);
    assert_eq!(kept("d in (9, 8, 7, 6, 5, 4, 3, -1, -2)"), [false, false]);
}

#[test]
fn a_million_containers_are_tested_by_whole_columns() {
    let containers = 1_000_000;
    let column = |shift: i64| Some(Arc::new((0..containers as i64).map(|i| Some(i + shift)).collect::<Int64Array>()) as ArrayRef);
    let mut stats = Stats { containers, ..Stats::default() };
    stats.columns.insert(path("i"), (column(0), column(9), None));
    stats.columns.insert(path("s"), (Some(new_null_array(&arrow::datatypes::DataType::Utf8, containers)), None, None));
    let keep = |text: &str| pruner(text).keep(&stats).unwrap();
    assert_eq!(keep("i between 500 and 510 and s = 'x'").true_count(), 20);
    let list: Vec<String> = (0..100).map(|n| (n * 1000).to_string()).collect();
    let mask: BooleanArray = keep(&format!("i in ({})", list.join(", ")));
    assert_eq!(mask.true_count(), 1 + 99 * 10);
    assert!(mask.value(991) && !mask.value(990) && mask.values().len() == containers);
    assert!(stats.columns[&path("i")].0.as_ref().unwrap().as_primitive::<arrow::datatypes::Int64Type>().value(5) == 5);
}
