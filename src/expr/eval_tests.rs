use crate::error::{Code, Error};
use crate::expr::{BoundExpr, Expr, col, lit};
use crate::schema::{DataType, Field, Scalar, Struct};
use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    StructArray, TimestampMicrosecondArray,
};
use arrow::buffer::NullBuffer;
use arrow::util::display::array_value_to_string;
use std::sync::Arc;

const DAY: i64 = 86_400_000_000;

fn schema() -> Struct {
    let inner = Struct { fields: vec![Field::new("city", DataType::String, true), Field::new("Zip", DataType::Integer, true)] };
    let field = |name: &str, data_type: DataType| Field::new(name, data_type, true);
    Struct {
        fields: vec![
            field("id", DataType::Long),
            field("small", DataType::Integer),
            field("Name", DataType::String),
            field("price", DataType::Decimal { precision: 10, scale: 2 }),
            field("f", DataType::Float),
            field("d", DataType::Double),
            field("flag", DataType::Boolean),
            field("day", DataType::Date),
            field("ts", DataType::Timestamp),
            field("odd name", DataType::Integer),
            field("addr", DataType::Struct(inner)),
            field("list", DataType::Array { element: Box::new(DataType::Long), contains_null: true }),
        ],
    }
}

/// Four rows; the last is all null.
fn batch() -> RecordBatch {
    let arrow = schema().to_arrow().unwrap();
    let addr = match arrow.field_with_name("addr").unwrap().data_type() {
        arrow::datatypes::DataType::Struct(fields) => StructArray::new(
            fields.clone(),
            vec![
                Arc::new(StringArray::from(vec![Some("Oslo"), Some("Rome"), None, Some("hidden")])),
                Arc::new(Int32Array::from(vec![Some(1), None, Some(3), Some(4)])),
            ],
            Some(NullBuffer::from(vec![true, true, true, false])),
        ),
        _ => unreachable!(),
    };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![Some(1), Some(2), Some(9_007_199_254_740_993), None])),
        Arc::new(Int32Array::from(vec![Some(10), Some(-20), Some(i32::MAX), None])),
        Arc::new(StringArray::from(vec![Some("Ada"), Some("bob's 100%"), Some(""), None])),
        Arc::new(Decimal128Array::from(vec![Some(150), Some(-1), Some(9_999_999_999), None]).with_precision_and_scale(10, 2).unwrap()),
        Arc::new(Float32Array::from(vec![Some(0.5), Some(-0.0), Some(f32::NAN), None])),
        Arc::new(Float64Array::from(vec![Some(1e300), Some(0.0), Some(-f64::NAN), None])),
        Arc::new(BooleanArray::from(vec![Some(true), Some(false), Some(true), None])),
        Arc::new(Date32Array::from(vec![Some(0), Some(18_262), Some(-1), None])),
        Arc::new(TimestampMicrosecondArray::from(vec![Some(0), Some(18_262 * DAY + 1), Some(-1), None]).with_timezone("UTC")),
        Arc::new(Int32Array::from(vec![Some(7), Some(8), Some(9), None])),
        Arc::new(addr),
        arrow::array::new_null_array(arrow.field_with_name("list").unwrap().data_type(), 4),
    ];
    RecordBatch::try_new(Arc::new(arrow), columns).unwrap()
}

fn bind(text: &str) -> BoundExpr {
    Expr::sql(text).and_then(|e| e.bind(&schema())).unwrap_or_else(|e| panic!("{:.200}: {e}", text))
}
fn refused(text: &str) -> Error {
    Expr::sql(text).and_then(|e| e.bind(&schema())).expect_err(text)
}

/// The rows (counted from 0) for which the text is TRUE.
fn rows(text: &str) -> Vec<usize> {
    let mask = bind(text).matches(&batch()).unwrap_or_else(|e| panic!("{text}: {e}"));
    (0..mask.len()).filter(|i| mask.value(*i)).collect()
}
fn values(text: &str) -> Vec<String> {
    let array = bind(text).evaluate(&batch()).unwrap_or_else(|e| panic!("{text}: {e}"));
    (0..array.len()).map(|i| if array.is_null(i) { "null".to_owned() } else { array_value_to_string(&array, i).unwrap() }).collect()
}

#[test]
fn names_resolve_without_case_and_through_structs() {
    // spec: EXP-1
    assert_eq!(rows("NAME = 'Ada'"), [0]);
    assert_eq!(rows("`odd name` >= 8"), [1, 2]);
    assert_eq!(rows("addr.CITY = 'Oslo' and Addr.zip = 1"), [0]);
    assert_eq!(rows("addr.city is null"), [2, 3]);
    assert_eq!(bind("addr.city = 'x' or ID = 1").columns(), ["addr", "id"]);
    assert!(bind("id = 1").reads_only(&["id".to_owned()]) && !bind("id = small").reads_only(&["id".to_owned()]));
}

#[test]
fn unknown_names_are_named_with_their_neighbours() {
    // spec: EXP-3
    let e = refused("nmae = 'x'");
    assert_eq!((e.code(), e.message()), (Code::EXPR, "there is no column `nmae`"));
    assert!(e.next_step().unwrap().contains("`Name`"), "{:?}", e.next_step());
    let e = refused("lenght(name) > 1");
    assert!(e.message().contains("`lenght`") && e.next_step().unwrap().contains("`length`"));
    assert!(refused("id.x = 1").message().contains("has no field `x`"));
    assert!(refused("list = 1").message().contains("cannot be compared"));
    assert!(refused("name and flag").message().contains("condition"));
}

#[test]
fn text_that_does_not_parse_says_where() {
    // spec: EXP-3
    for (text, message) in [
        ("id = ", "found its end"),
        ("id = 1 2", "the end of the expression"),
        ("id in ()", "a value"),
        ("(id = 1", "`)`"),
        ("id = 'open", "does not parse"),
        ("and", "a value"),
        ("", "a value"),
        ("id = 5X", "not a number"),
        ("day = date '2020-13-01'", "is not a date"),
        ("ts > current_timestamp()", "another value each time"),
        ("ts > rand()", "no function"),
        ("id = interval '1' day", "INTERVAL"),
        ("cast(id as nonsense) = 1", "cannot be converted to the type"),
    ] {
        let e = refused(text);
        assert_eq!(e.code(), Code::EXPR, "{text}");
        assert!(e.message().contains(message), "{text}: {e}");
    }
    let e = refused("id = 1 and\n  name == == 2");
    assert!(e.context().contains(&("line", "2".to_owned())), "{e}");
}

#[test]
fn comparisons_are_exact_across_number_types() {
    // spec: EXP-8
    assert_eq!(rows("id = 9007199254740993"), [2]);
    assert_eq!(rows("id = 9007199254740993.0"), [2]);
    assert_eq!(rows("id > 9007199254740992.5"), [2]);
    assert_eq!(rows("id < 9007199254740993.0"), [0, 1]);
    assert_eq!(rows("small > 1.5"), [0, 2]);
    assert_eq!(rows("small <= -20.5"), Vec::<usize>::new());
    assert_eq!(rows("small < 99999999999"), [0, 1, 2]);
    assert_eq!(rows("small = 99999999999"), Vec::<usize>::new());
    assert_eq!(rows("small <> 99999999999"), [0, 1, 2]);
    assert_eq!(rows("(small = 99999999999) is null"), [3]);
    assert_eq!(rows("price = 1.5"), [0]);
    assert_eq!(rows("price < 1.501"), [0, 1]);
    assert_eq!(rows("price = 1.501"), Vec::<usize>::new());
    assert_eq!(rows("price in (1.50, 99999999.99, 1e0)"), [0, 2]);
    assert_eq!(rows("price > 1"), [0, 2]);
    assert_eq!(rows("price >= -9223372036854775808"), [0, 1, 2]);
    assert_eq!(rows("f = 0.5"), [0]);
    assert_eq!(rows("id = small"), Vec::<usize>::new());
    assert_eq!(rows("5 < small"), [0, 2]);
}

#[test]
fn text_literals_take_the_type_of_the_column() {
    // spec: EXP-8
    assert_eq!(rows("id = '1'"), [0]);
    assert_eq!(rows("price = '1.50'"), [0]);
    assert_eq!(rows("d = 'NaN'"), [2]);
    assert_eq!(rows("day = '1970-01-01'"), [0]);
    assert_eq!(rows("day < '1970-1-1'"), [2]);
    assert_eq!(rows("ts >= '2020-01-01'"), [1]);
    assert_eq!(rows("ts = '1970-01-01 01:00:00+01:00'"), [0]);
    assert_eq!(rows("flag = 'true'"), [0, 2]);
    for text in ["id = 'x'", "day = 'x'", "ts > 'x'", "flag = 'x'", "id in (1, 'x')", "id = true", "flag = 1"] {
        assert_eq!(refused(text).code(), Code::EXPR, "{text}");
    }
}

#[test]
fn literals_are_typed_as_spark_types_them() {
    // spec: EXP-2
    let shown = |text: &str| {
        let bound = bind(text);
        (bound.data_type().to_string(), values(text)[0].clone())
    };
    for (text, data_type, value) in [
        ("5", "int", "5"),
        ("-5L", "bigint", "-5"),
        ("3000000000", "bigint", "3000000000"),
        ("99999999999999999999", "decimal(20,0)", "99999999999999999999"),
        ("7S", "smallint", "7"),
        ("7Y", "tinyint", "7"),
        ("0.05", "decimal(2,2)", "0.05"),
        ("1.5BD", "decimal(2,1)", "1.5"),
        ("1.5D", "double", "1.5"),
        ("1.5F", "float", "1.5"),
        ("15e-1", "double", "1.5"),
        ("'it\\'s'", "string", "it's"),
        ("\"two\"", "string", "two"),
        ("X'0aFF'", "binary", "0aff"),
        ("date '2020-02-29'", "date", "2020-02-29"),
        ("timestamp '2020-01-01 00:00:00'", "timestamp", "2020-01-01T00:00:00Z"),
        ("timestamp_ntz '2020-01-01 00:00:00.5'", "timestamp_ntz", "2020-01-01T00:00:00.500"),
        ("true", "boolean", "true"),
        ("cast('12.345' as decimal(10,3))", "decimal(10,3)", "12.345"),
    ] {
        assert_eq!(shown(text), (data_type.to_owned(), value.to_owned()), "{text}");
    }
}

#[test]
fn logic_is_three_valued() {
    // spec: EXP-6
    assert_eq!(rows("not (id = 1)"), [1, 2]);
    assert_eq!(rows("id = 1 or id is null"), [0, 3]);
    assert_eq!(rows("id <=> null"), [3]);
    assert_eq!(rows("not (id <=> 1)"), [1, 2, 3]);
    assert_eq!(rows("id in (1, null)"), [0]);
    assert_eq!(rows("id not in (1, null)"), Vec::<usize>::new());
    assert_eq!(rows("id not in (1)"), [1, 2]);
    assert_eq!(rows("flag"), [0, 2]);
    assert_eq!(rows("not flag"), [1]);
    assert_eq!(rows("flag is not true"), [1, 3]);
    assert_eq!(rows("flag is not false and flag is unknown"), [3]);
    assert_eq!(rows("null"), Vec::<usize>::new());
    assert_eq!(rows("id = null or true"), [0, 1, 2, 3]);
    assert_eq!(rows("id is distinct from 1"), [1, 2, 3]);
    assert_eq!(rows("id between 1 and 2"), [0, 1]);
    assert_eq!(rows("id not between 2 and 3"), [0, 2]);
}

#[test]
fn floats_compare_as_spark_compares_them() {
    // spec: EXP-7
    assert_eq!(rows("f = 0.0"), [1]);
    assert_eq!(rows("f < 0"), Vec::<usize>::new());
    assert_eq!(rows("f >= -0.0D"), [0, 1, 2]);
    assert_eq!(rows("d > 1e300"), [2]);
    assert_eq!(rows("d = cast('NaN' as double)"), [2]);
    assert_eq!(rows("f = cast('NaN' as float)"), [2]);
    assert_eq!(rows("d <= 0"), [1]);
    assert_eq!(rows("d in (-0.0D, cast('NaN' as double))"), [1, 2]);
    assert_eq!(rows("f = d"), [1, 2]);
    assert_eq!(rows("isnan(d)"), [2]);
}

#[test]
fn a_division_by_zero_has_no_value_and_try_divide_gives_null() {
    // spec: EXP-9, EXP-25
    for text in [
        "id / 0",
        "7 / 0",
        "small % 0",
        "7 div 0",
        "d / 0D",
        "d % -0D",
        "price / 0",
        "price % 0.00",
        "mod(7, 0)",
        "pmod(7, 0)",
        "pmod(d, 0D)",
    ] {
        let zero = bind(text).evaluate(&batch()).map(|_| text).unwrap_err();
        assert_eq!((zero.code(), zero.message()), (Code::EXPR, "division by zero"), "{text}");
        assert!(zero.next_step().unwrap().contains("try_divide"), "{text}");
    }
    for text in [
        "try_divide(7, 0)",
        "try_divide(d, 0D)",
        "try_divide(price, 0)",
        "try_mod(7, 0)",
        "cast(null as int) / 0",
        "null % 0",
        "7 / nullif(0, 0)",
    ] {
        assert_eq!(values(text), ["null", "null", "null", "null"], "{text}");
    }
    assert_eq!(values("try_divide(small, 4)"), values("small / 4"));
    assert_eq!(values("try_mod(7, 4)")[0], "3");
    assert_eq!(values("price / 7")[..2], ["0.214286", "-0.001429"]);
    // What decides a row guards the division beside it.
    let all = rows("true");
    assert_eq!(rows("small = 10 OR 1 / (small - 10) < 0"), rows("small <= 10"));
    assert_eq!(rows("small <> 10 AND 1 / (small - 10) < 0"), rows("small < 10"));
    assert_eq!(rows("1 / (small - 10) < 0 AND small <> 10"), rows("small < 10"));
    assert_eq!(rows("(id = 1 OR id / (id - 1) > 0 OR true)"), all);
    assert_eq!(rows("case when small = 10 then false else 1 / (small - 10) < 0 end"), rows("small < 10"));
    // So it does whatever else may fail; between such terms the order is that of the text.
    assert_eq!(rows("name <> 'Ada' OR cast(name as int) > 0 OR name = 'Ada'"), rows("name is not null"));
    assert_eq!(rows("id <= 2 AND id * 4611686018427387903L > 0"), [0, 1]);
    assert_eq!(
        rows("id > 0 AND cast(small as double) <> 10 AND 1 / (small - 10) <> 1 AND 1 / (1 / (small - 10) - 1) < 0"),
        rows("small <> 10")
    );
    assert_eq!(rows("small / 1 <> 10 AND 1 / (small - 10) < 0"), rows("small < 10"));
    assert!(bind("1 / (small - 10) < 0 AND small / 1 <> 10").evaluate(&batch()).is_err());
    // NULL decides nothing and stays in the value.
    assert_eq!(values("small = 10 OR 1 / (small - 10) < 0"), ["true", "true", "false", "null"]);
    assert_eq!(values("flag AND 1 / (id - 2) < 0"), ["true", "false", "false", "null"]);
    // Chains in chains cost no more than they are long.
    let deep = (0..20).fold("small <> 10 AND 1 / (small - 10) < 0".to_owned(), |inner, n| {
        let (op, guard) = if n % 2 == 0 { ("OR", "1 / id > 1") } else { ("AND", "1 / id < 2") };
        format!("({inner}) {op} {guard}")
    });
    assert_eq!(rows(&deep), rows("small < 10"));
}

#[test]
fn arithmetic_follows_spark() {
    // spec: EXP-9
    assert_eq!(values("small / 4"), ["2.5", "-5.0", "536870911.75", "null"]);
    assert_eq!(values("price * 2"), ["3.00", "-0.02", "199999999.98", "null"]);
    assert_eq!(values("-id + 1")[..2], ["0", "-1"]);
    assert_eq!(values("7 div 2")[0], "3");
    assert_eq!(values("day + 1")[..3], ["1970-01-02", "2020-01-02", "1970-01-01"]);
    assert_eq!(values("day - date '1970-01-01'")[..3], ["0", "18262", "-1"]);
    assert_eq!(values("-small")[..3], ["-10", "20", "-2147483647"]);
    assert_eq!(values("-price")[..2], ["-1.50", "0.01"]);
    for text in ["small + 1", "-(0 - small - 1)", "negative(-id - 9214364837600034815L)", "abs(0 - small - 1)"] {
        let overflow = bind(text).evaluate(&batch()).map(|_| text).unwrap_err();
        assert_eq!(overflow.code(), Code::EXPR);
    }
}

#[test]
fn functions_follow_spark() {
    // spec: EXP-10
    for (text, expected) in [
        ("lower(name)", ["ada", "bob's 100%", "", "null"]),
        ("upper(name)", ["ADA", "BOB'S 100%", "", "null"]),
        ("length(name)", ["3", "10", "0", "null"]),
        ("substring(name, 2, 2)", ["da", "ob", "", "null"]),
        ("substring(name, -2)", ["da", "0%", "", "null"]),
        ("substr(name, 0, 1)", ["A", "b", "", "null"]),
        ("left(name, 2)", ["Ad", "bo", "", "null"]),
        ("name || '!'", ["Ada!", "bob's 100%!", "!", "null"]),
        ("concat(name, null)", ["null", "null", "null", "null"]),
        ("trim('  x ')", ["x", "x", "x", "x"]),
        ("replace(name, 'b', 'p')", ["Ada", "pop's 100%", "", "null"]),
        ("coalesce(name, 'none')", ["Ada", "bob's 100%", "", "none"]),
        ("nvl(small, 0L)", ["10", "-20", "2147483647", "0"]),
        ("nullif(id, 1)", ["null", "2", "9007199254740993", "null"]),
        ("if(flag, 1, 2)", ["1", "2", "1", "2"]),
        ("case small when 10 then 'ten' when -20 then 'neg' end", ["ten", "neg", "null", "null"]),
        ("case when id > 1 then price else 0 end", ["0.00", "-0.01", "99999999.99", "0.00"]),
        ("abs(small)", ["10", "20", "2147483647", "null"]),
        ("floor(price)", ["1", "-1", "99999999", "null"]),
        ("ceil(price)", ["2", "0", "100000000", "null"]),
        ("year(day)", ["1970", "2020", "1969", "null"]),
        ("month(ts)", ["1", "1", "12", "null"]),
        ("day(ts)", ["1", "1", "31", "null"]),
        ("hour(ts)", ["0", "0", "23", "null"]),
        ("extract(minute from ts)", ["0", "0", "59", "null"]),
        ("dayofweek(day)", ["5", "4", "4", "null"]),
        ("date(ts)", ["1970-01-01", "2020-01-01", "1969-12-31", "null"]),
        ("cast(ts as string)", ["1970-01-01 00:00:00", "2020-01-01 00:00:00.000001", "1969-12-31 23:59:59.999999", "null"]),
        ("date_trunc('month', ts)", ["1970-01-01T00:00:00Z", "2020-01-01T00:00:00Z", "1969-12-01T00:00:00Z", "null"]),
        ("datediff(day, '1970-01-02')", ["-1", "18261", "-2", "null"]),
        ("greatest(small, 0)", ["10", "0", "2147483647", "0"]),
        ("try_cast(name as int)", ["null", "null", "null", "null"]),
        ("cast(id as string)", ["1", "2", "9007199254740993", "null"]),
    ] {
        assert_eq!(values(text), expected, "{text}");
    }
    assert_eq!(rows("startswith(name, 'A')"), [0]);
    assert_eq!(rows("endswith(name, '%') or contains(name, 'da')"), [0, 1]);
    assert_eq!(rows("name rlike '^[aA].a$'"), [0]);
    assert_eq!(refused("lower(name, 1)").code(), Code::EXPR);
    assert_eq!(refused("cast(ts as bigint) = 1").code(), Code::EXPR);
}

/// The text of an expression over one row with one column `v`.
fn of_one(data_type: DataType, value: Scalar, text: &str) -> String {
    let schema = Struct { fields: vec![Field::new("v", data_type.clone(), true)] };
    let column = value.to_array(&data_type, 1).unwrap();
    let batch = RecordBatch::try_new(Arc::new(schema.to_arrow().unwrap()), vec![column]).unwrap();
    let out = Expr::sql(text).and_then(|e| e.bind(&schema)).and_then(|e| e.evaluate(&batch)).unwrap_or_else(|e| panic!("{text}: {e}"));
    array_value_to_string(&out, 0).unwrap()
}

#[test]
fn values_have_the_text_that_spark_gives_them() {
    // spec: EXP-16
    for (value, expected) in [
        (1e7, "1.0E7"),
        (9_999_999.5, "9999999.5"),
        (0.001, "0.001"),
        (1e-4, "1.0E-4"),
        (-0.0, "-0.0"),
        (1.0, "1.0"),
        (f64::NAN, "NaN"),
        (f64::NEG_INFINITY, "-Infinity"),
        (1.797_693_134_862_315_7e308, "1.7976931348623157E308"),
    ] {
        assert_eq!(of_one(DataType::Double, Scalar::Double(value), "cast(v as string)"), expected);
        assert_eq!(of_one(DataType::Double, Scalar::Double(value), "v || '!'"), format!("{expected}!"));
    }
    assert_eq!(of_one(DataType::Float, Scalar::Float(1.1e10), "string(v)"), "1.1E10");
    assert_eq!(of_one(DataType::Float, Scalar::Float(0.1), "string(v)"), "0.1");
    for (micros, expected) in [
        (500_000, "1970-01-01 00:00:00.5"),
        (123_000, "1970-01-01 00:00:00.123"),
        (1, "1970-01-01 00:00:00.000001"),
        (-DAY, "1969-12-31 00:00:00"),
        (253_402_300_800_000_000, "+10000-01-01 00:00:00"),
    ] {
        assert_eq!(of_one(DataType::Timestamp, Scalar::Timestamp(micros), "try_cast(v as string)"), expected);
        assert_eq!(of_one(DataType::TimestampNtz, Scalar::TimestampNtz(micros), "cast(v as string)"), expected);
    }
    assert_eq!(of_one(DataType::Date, Scalar::Date(2_932_897), "cast(v as string)"), "+10000-01-01");
    assert_eq!(values("cast(1e7 as string)")[0], "1.0E7");
    assert_eq!(of_one(DataType::Double, Scalar::Double(1e7), "cast(v as string) = '1.0E7'"), "true");
}

#[test]
fn date_trunc_knows_every_unit_and_every_year() {
    // spec: EXP-17
    let trunc = |unit: &str, at: &str| {
        let Scalar::TimestampNtz(micros) = Scalar::from_partition_text(Some(at), &DataType::TimestampNtz).unwrap() else { panic!() };
        let text = format!("cast(date_trunc('{unit}', v) as string)");
        let local = of_one(DataType::TimestampNtz, Scalar::TimestampNtz(micros), &text);
        assert_eq!(of_one(DataType::Timestamp, Scalar::Timestamp(micros), &text), local);
        local
    };
    for (unit, expected) in [
        ("year", "2024-01-01 00:00:00"),
        ("quarter", "2024-07-01 00:00:00"),
        ("MON", "2024-08-01 00:00:00"),
        ("week", "2024-08-26 00:00:00"),
        ("dd", "2024-08-31 00:00:00"),
        ("hour", "2024-08-31 13:00:00"),
        ("minute", "2024-08-31 13:59:00"),
        ("second", "2024-08-31 13:59:58"),
        ("millisecond", "2024-08-31 13:59:58.123"),
        ("microsecond", "2024-08-31 13:59:58.123456"),
    ] {
        assert_eq!(trunc(unit, "2024-08-31 13:59:58.123456"), expected, "{unit}");
    }
    assert_eq!(trunc("month", "9999-12-31 23:59:59.999999"), "9999-12-01 00:00:00");
    assert_eq!(trunc("week", "0001-01-01 00:00:01"), "0001-01-01 00:00:00");
    assert_eq!(trunc("hour", "1969-12-31 23:30:00"), "1969-12-31 23:00:00");
    assert_eq!(trunc("quarter", "1582-10-15 12:00:00"), "1582-10-01 00:00:00");
    let least = Scalar::Timestamp(i64::MIN);
    let schema = Struct { fields: vec![Field::new("v", DataType::Timestamp, true)] };
    let batch = RecordBatch::try_new(Arc::new(schema.to_arrow().unwrap()), vec![least.to_array(&DataType::Timestamp, 1).unwrap()]).unwrap();
    let e = Expr::sql("date_trunc('day', v)").unwrap().bind(&schema).unwrap().evaluate(&batch).unwrap_err();
    assert_eq!(e.code(), Code::EXPR);
}

#[test]
fn floor_and_ceil_of_decimals_are_exact() {
    // spec: EXP-18
    let huge = DataType::Decimal { precision: 38, scale: 2 };
    let of = |value: i128, text: &str| of_one(huge.clone(), Scalar::Decimal { value, precision: 38, scale: 2 }, text);
    let nines = 10i128.pow(38) - 1;
    assert_eq!(of(nines, "floor(v)"), "9".repeat(36));
    assert_eq!(of(nines, "ceil(v)"), format!("1{}", "0".repeat(36)));
    assert_eq!(of(-nines, "floor(v)"), format!("-1{}", "0".repeat(36)));
    assert_eq!(of(900_719_925_474_099_300, "ceiling(v)"), "9007199254740993");
    assert_eq!(of(900_719_925_474_099_299, "floor(v) = 9007199254740992"), "true");
    assert_eq!(bind("floor(price)").data_type().to_string(), "decimal(9,0)");
    assert_eq!(values("floor(cast(small as decimal(10,0)))")[..2], ["10", "-20"]);
}

#[test]
fn like_knows_its_wildcards_and_escapes() {
    assert_eq!(rows("name like 'A%'"), [0]);
    assert_eq!(rows("name like '_da'"), [0]);
    assert_eq!(rows("name like '%100\\\\%'"), [1]);
    assert_eq!(rows("name like '%100!%' escape '!'"), [1]);
    assert_eq!(rows("name not like 'A%'"), [1, 2]);
    assert_eq!(rows("name ilike 'aDA'"), [0]);
    assert_eq!(rows("name like ''"), [2]);
}

#[test]
fn canonical_text_means_the_same() {
    // spec: EXP-5
    for text in [
        "id = 1 or id = 2 or name = 'it\\'s' and not flag",
        "price <> 1.5 and f < 0.5 and d >= cast('NaN' as double)",
        "day between '2020-01-01' and '2021-01-01' or ts > '2020-01-01'",
        "name like '%!%' escape '!' or addr.city is not null",
        "`odd name` in (1, 2, null) and small <=> null",
        "case when flag then id else small end > -3 and id - -1 <> small / 2",
        "lower(name) = X'4142' or cast(id as string) = 'x'",
        "small < 99999999999 and small is distinct from 4",
    ] {
        let bound = bind(text);
        let again = Expr::sql(&bound.to_sql()).and_then(|e| e.bind(&schema())).unwrap_or_else(|e| panic!("{}: {e}", bound.to_sql()));
        assert_eq!(again.to_sql(), bound.to_sql(), "{text}");
        assert_eq!(again.matches(&batch()).unwrap(), bound.matches(&batch()).unwrap(), "{text}");
    }
}

#[test]
fn built_expressions_equal_parsed_ones() {
    let same = |built: Expr, text: &str| assert_eq!(built.bind(&schema()).unwrap().to_sql(), bind(text).to_sql());
    same(col("ID").eq(lit(1)).and(col("addr.zip").is_null().not()), "id = 1 and addr.zip is not null");
    same(col("odd name").in_list([lit(1), lit(2)]), "`odd name` in (1, 2)");
    same(col("day").between(lit(Scalar::Date(0)), lit(Scalar::Date(9))), "day between '1970-01-01' and '1970-01-10'");
    same(col("name").like("a%").or(col("flag")), "name like 'a%' or flag");
    let none = col("id").in_list([]).bind(&schema()).unwrap().matches(&batch()).unwrap();
    assert_eq!(none.true_count(), 0);
}

#[test]
fn long_chains_are_refused_or_flat_and_never_overflow_the_stack() {
    // spec: EXP-4
    let chain = |n: usize, term: &dyn Fn(usize) -> String| (0..n).map(term).collect::<Vec<_>>().join(" OR ");
    let e = Expr::sql(&chain(20_000, &|i| format!("id = {i}"))).unwrap_err();
    assert_eq!(e.code(), Code::LIMIT);
    let bound = bind(&chain(4_900, &|i| format!("id = {i}")));
    assert!(bound.to_sql().starts_with("(id IN ("), "{}", &bound.to_sql()[..40]);
    let mixed = bind(&format!("not ({})", chain(2_400, &|i| format!("(id = {i} and small > {i})"))));
    assert_eq!(mixed.matches(&batch()).unwrap().true_count(), 2);
    let many = (0..50_000).map(|i| i.to_string()).collect::<Vec<_>>().join(", ");
    assert_eq!(rows(&format!("id in ({many})")), [0, 1]);
    let built = (0..20_000).fold(col("id").eq(lit(1i64)), |e, i| e.or(col("small").lt(lit(-i))));
    assert_eq!(built.bind(&schema()).unwrap().matches(&batch()).unwrap().true_count(), 2);
    for deep in [
        format!("{}id = 1{}", "(".repeat(1_000), ")".repeat(1_000)),
        format!("id = 1{}", " + 1".repeat(5_000)),
        format!("id{}", " = 1".repeat(5_000)),
        format!("{}1{} = 1", "abs(".repeat(500), ")".repeat(500)),
        format!("{}id{}", "case when ".repeat(300), " then 1 end".repeat(300)),
    ] {
        assert_eq!(Expr::sql(&deep).and_then(|e| e.bind(&schema())).unwrap_err().code(), Code::LIMIT, "{}", &deep[..30]);
    }
    assert_eq!(rows(&format!("{}flag", "not ".repeat(5_000))), [0, 2]);
}

#[test]
fn a_missing_column_is_an_error_and_batches_need_only_what_is_read() {
    let ids = batch().project(&[0]).unwrap();
    assert_eq!(bind("id = 2").matches(&ids).unwrap().true_count(), 1);
    assert_eq!(bind("true").matches(&ids).unwrap().true_count(), 4);
    assert_eq!(bind("small = 2").matches(&ids).unwrap_err().code(), Code::SCHEMA);
}
