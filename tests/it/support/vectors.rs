//! Names of files of deletion vectors.

/// The 32 hexadecimal digits that the name of a vector's file ends with (but for hyphens), of what a log says (`u`).
pub fn hex_of(path_or_inline_dv: &str) -> String {
    const DIGITS: &str = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
    let id = &path_or_inline_dv[path_or_inline_dv.len() - 20..];
    let number = |chunk: &[u8]| chunk.iter().fold(0u64, |n, c| n * 85 + DIGITS.find(*c as char).unwrap() as u64);
    id.as_bytes().chunks(5).map(|chunk| format!("{:08x}", number(chunk))).collect()
}
