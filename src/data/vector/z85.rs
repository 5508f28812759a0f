//! Z85: four bytes as five printable characters. Kind: pure. Spec: DV.

const ALPHABET: &[u8; 85] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
const NOT_A_DIGIT: u8 = 255;

const DIGITS: [u8; 128] = {
    let mut digits = [NOT_A_DIGIT; 128];
    let mut i = 0;
    while i < ALPHABET.len() {
        digits[ALPHABET[i] as usize] = i as u8;
        i += 1;
    }
    digits
};

/// Decodes text; `None` when its length is no multiple of five, a character is outside the alphabet or a group exceeds 32 bits.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(5) {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len() / 5 * 4);
    for group in text.as_bytes().chunks(5) {
        let mut value = 0u64;
        for &c in group {
            let digit = *DIGITS.get(usize::from(c))?;
            if digit == NOT_A_DIGIT {
                return None;
            }
            value = value * 85 + u64::from(digit);
        }
        bytes.extend_from_slice(&u32::try_from(value).ok()?.to_be_bytes());
    }
    Some(bytes)
}

/// Encodes bytes, padded with zeros to a multiple of four.
pub(super) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(4) * 5);
    for chunk in bytes.chunks(4) {
        let mut padded = [0u8; 4];
        padded[..chunk.len()].copy_from_slice(chunk);
        let value = u32::from_be_bytes(padded);
        for power in [85u32.pow(4), 85u32.pow(3), 85 * 85, 85, 1] {
            text.push(char::from(ALPHABET[(value / power % 85) as usize]));
        }
    }
    text
}
