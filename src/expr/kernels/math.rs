//! Functions of numbers. Kind: pure. Spec: EXP.

use super::rows::{self, Builtin, Out, each, error};
use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, Float64Array, Int64Array};
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int32Type, Int64Type};
use arrow::error::ArrowError;
use std::sync::Arc;

macro_rules! of_double {
    ($($name:literal = $f:expr;)*) => {
        &[$(Builtin { name: $name, returns: rows::double, run: |a| one(a, $f) }),*]
    };
}

/// Functions of one double. Where Spark has no logarithm, the value is null.
pub(super) static OF_DOUBLE: &[Builtin] = of_double! {
    "sqrt" = |v| Some(v.sqrt());
    "cbrt" = |v| Some(v.cbrt());
    "exp" = |v| Some(v.exp());
    "expm1" = |v| Some(v.exp_m1());
    "ln" = |v| (v > 0.0 || v.is_nan()).then(|| v.ln());
    "log10" = |v| (v > 0.0 || v.is_nan()).then(|| v.log10());
    "log2" = |v| (v > 0.0 || v.is_nan()).then(|| v.log2());
    "log1p" = |v| (v > -1.0 || v.is_nan()).then(|| v.ln_1p());
    "sin" = |v| Some(v.sin());
    "cos" = |v| Some(v.cos());
    "tan" = |v| Some(v.tan());
    "asin" = |v| Some(v.asin());
    "acos" = |v| Some(v.acos());
    "atan" = |v| Some(v.atan());
    "sinh" = |v| Some(v.sinh());
    "cosh" = |v| Some(v.cosh());
    "tanh" = |v| Some(v.tanh());
    "degrees" = |v| Some(v.to_degrees());
    "radians" = |v| Some(v.to_radians());
    "rint" = |v| Some(v.round_ties_even());
};

pub(super) static ALL: &[Builtin] = &[
    Builtin { name: "pow", returns: rows::double, run: |a| two(a, |x, y| Some(java_pow(x, y))) },
    Builtin { name: "atan2", returns: rows::double, run: |a| two(a, |y, x| Some((y + 0.0).atan2(x + 0.0))) },
    Builtin { name: "hypot", returns: rows::double, run: |a| two(a, |x, y| Some(x.hypot(y))) },
    Builtin { name: "log", returns: rows::double, run: |a| two(a, |base, v| (base > 0.0 && v > 0.0).then(|| v.ln() / base.ln())) },
    Builtin { name: "pmod_long", returns: rows::long, run: pmod_long },
    Builtin { name: "pmod_double", returns: rows::double, run: pmod_double },
    Builtin { name: "round_double", returns: rows::double, run: |a| round_double(a, false) },
    Builtin { name: "bround_double", returns: rows::double, run: |a| round_double(a, true) },
    Builtin { name: "round_long", returns: rows::long, run: |a| round_long(a, false) },
    Builtin { name: "bround_long", returns: rows::long, run: |a| round_long(a, true) },
    Builtin { name: "round_decimal", returns: first, run: |a| round_decimal(a, false) },
    Builtin { name: "bround_decimal", returns: first, run: |a| round_decimal(a, true) },
    // NaN is 0, and what is too large the greatest, as in Java.
    Builtin { name: "to_long", returns: rows::long, run: |a| each::<i64, Int64Array>(a, |row| Ok(Some(doubles(a, 0, row) as i64))) },
    Builtin { name: "factorial", returns: rows::long, run: factorial },
    Builtin { name: "bit_and", returns: rows::long, run: |a| bits(a, |x, y| x & y) },
    Builtin { name: "bit_or", returns: rows::long, run: |a| bits(a, |x, y| x | y) },
    Builtin { name: "bit_xor", returns: rows::long, run: |a| bits(a, |x, y| x ^ y) },
    Builtin { name: "shift_left_long", returns: rows::long, run: |a| shift::<Int64Type>(a, |v, n| v.wrapping_shl(n as u32)) },
    Builtin { name: "shift_right_long", returns: rows::long, run: |a| shift::<Int64Type>(a, |v, n| v.wrapping_shr(n as u32)) },
    Builtin { name: "shift_left_int", returns: rows::int, run: |a| shift::<Int32Type>(a, |v, n| v.wrapping_shl(n as u32)) },
    Builtin { name: "shift_right_int", returns: rows::int, run: |a| shift::<Int32Type>(a, |v, n| v.wrapping_shr(n as u32)) },
];

fn first(args: &[DataType]) -> Option<DataType> {
    args.first().cloned()
}
fn doubles(args: &[ArrayRef], arg: usize, row: usize) -> f64 {
    args[arg].as_primitive::<Float64Type>().value(row)
}
fn longs(args: &[ArrayRef], arg: usize, row: usize) -> i64 {
    args[arg].as_primitive::<Int64Type>().value(row)
}
fn ints(args: &[ArrayRef], arg: usize, row: usize) -> i32 {
    args[arg].as_primitive::<Int32Type>().value(row)
}
fn one(args: &[ArrayRef], f: fn(f64) -> Option<f64>) -> Out {
    each::<f64, Float64Array>(args, |row| Ok(f(doubles(args, 0, row))))
}
fn two(args: &[ArrayRef], f: fn(f64, f64) -> Option<f64>) -> Out {
    each::<f64, Float64Array>(args, |row| Ok(f(doubles(args, 0, row), doubles(args, 1, row))))
}

/// C has a value where Java has none.
fn java_pow(x: f64, y: f64) -> f64 {
    if y.is_nan() || y.is_infinite() && x.abs() == 1.0 { f64::NAN } else { x.powf(y) }
}

fn pmod_long(args: &[ArrayRef]) -> Out {
    each::<i64, Int64Array>(args, |row| {
        let (a, n) = (i128::from(longs(args, 0, row)), i128::from(longs(args, 1, row)));
        if n == 0 {
            return Err(ArrowError::DivideByZero);
        }
        let rest = a % n;
        Ok(i64::try_from(if rest < 0 { (rest + n) % n } else { rest }).ok())
    })
}
fn pmod_double(args: &[ArrayRef]) -> Out {
    each::<f64, Float64Array>(args, |row| {
        let (a, n) = (doubles(args, 0, row), doubles(args, 1, row));
        if n == 0.0 {
            return Err(ArrowError::DivideByZero);
        }
        let rest = a % n;
        Ok(Some(if rest < 0.0 { (rest + n) % n } else { rest }))
    })
}

/// Rounds the number that the double's text spells, as Java's decimals do.
fn round_double(args: &[ArrayRef], even: bool) -> Out {
    each::<f64, Float64Array>(args, |row| {
        let (value, places) = (doubles(args, 0, row), ints(args, 1, row));
        if !value.is_finite() || value == 0.0 {
            return Ok(Some(value));
        }
        // d.ddd × 10^x, the shortest digits that name this double.
        let text = format!("{:e}", value.abs());
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let exponent: i64 = exponent.parse().unwrap_or(0);
        let digits: Vec<u8> = mantissa.bytes().filter(u8::is_ascii_digit).map(|b| b - b'0').collect();
        let keep = exponent + 1 + i64::from(places);
        if keep >= digits.len() as i64 {
            return Ok(Some(value));
        }
        if keep < 0 {
            return Ok(Some(0.0));
        }
        let (kept, rest) = digits.split_at(keep as usize);
        let odd = kept.last().is_some_and(|d| d % 2 == 1);
        let half = rest[0] == 5 && rest[1..].iter().all(|d| *d == 0);
        let up = if half { !even || odd } else { rest[0] >= 5 };
        let whole = kept.iter().fold(0i128, |n, d| n * 10 + i128::from(*d)) + i128::from(up);
        let rounded: f64 = format!("{whole}e{}", -i64::from(places)).parse().map_err(|_| error("a number cannot be rounded"))?;
        Ok(Some(rounded.copysign(value)))
    })
}

/// `value` rounded to a multiple of `unit`, halves away from zero or to the even one.
fn rounded(value: i128, unit: i128, even: bool) -> i128 {
    let (quotient, rest) = (value / unit, (value % unit).abs());
    let up = match (rest * 2).cmp(&unit) {
        std::cmp::Ordering::Equal => !even || quotient % 2 != 0,
        order => order.is_gt(),
    };
    (quotient + if up { value.signum() } else { 0 }) * unit
}

fn round_long(args: &[ArrayRef], even: bool) -> Out {
    each::<i64, Int64Array>(args, |row| {
        let (value, places) = (longs(args, 0, row), ints(args, 1, row));
        if places >= 0 {
            return Ok(Some(value));
        }
        let Some(unit) = 10i128.checked_pow(places.unsigned_abs()).filter(|_| places > -20) else { return Ok(Some(0)) };
        i64::try_from(rounded(i128::from(value), unit, even)).map(Some).map_err(|_| error("a rounded number is out of range"))
    })
}

/// The unscaled values of a decimal, rounded so that `args[1]` digits of its scale stay; the type is changed by whoever calls.
fn round_decimal(args: &[ArrayRef], even: bool) -> Out {
    let values = args[0].as_primitive::<Decimal128Type>();
    let out = each::<i128, Decimal128Array>(args, |row| {
        let drop = i32::from(values.scale()) - ints(args, 1, row);
        let Ok(drop) = u32::try_from(drop) else { return Ok(Some(values.value(row))) };
        Ok(Some(10i128.checked_pow(drop).map_or(0, |unit| rounded(values.value(row), unit, even))))
    })?;
    Ok(Arc::new(out.as_primitive::<Decimal128Type>().clone().with_data_type(values.data_type().clone())))
}

fn factorial(args: &[ArrayRef]) -> Out {
    each::<i64, Int64Array>(args, |row| {
        let n = ints(args, 0, row);
        Ok((0..=20).contains(&n).then(|| (1..=i64::from(n)).product()))
    })
}

fn bits(args: &[ArrayRef], f: fn(i64, i64) -> i64) -> Out {
    each::<i64, Int64Array>(args, |row| Ok(Some(f(longs(args, 0, row), longs(args, 1, row)))))
}

fn shift<T: arrow::datatypes::ArrowPrimitiveType>(args: &[ArrayRef], f: fn(T::Native, i32) -> T::Native) -> Out {
    let values = args[0].as_primitive::<T>();
    let by = args[1].as_primitive::<Int32Type>();
    let out: arrow::array::PrimitiveArray<T> = values.iter().zip(by.iter()).map(|(v, n)| Some(f(v?, n?))).collect();
    Ok(Arc::new(out))
}
