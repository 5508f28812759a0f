//! Curves that run through all cells of a grid, so that rows near each other in several columns lie near each other in files. Kind: pure.
//! Spec: ZOR.
//!
//! A rank of each column says where a row lies; the key says when the curve comes by. Invariant: a curve visits every cell once.

/// The order in which the cells of a grid are visited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Curve {
    /// The bits of the ranks in turn: cheap, with long jumps.
    ZOrder,
    /// Every step goes to a neighbour, so that pieces of the curve are compact.
    Hilbert,
}

/// Columns that a key can tell apart, and those for which Hilbert's turns are tabulated.
pub(crate) const COLUMNS_MAX: usize = 64;
const TURNS_MAX: usize = 6;

/// How many bits of each rank a key of so many columns holds.
pub(crate) fn bits(columns: usize) -> u32 {
    let most = if columns == 1 { 16 } else { 10 };
    (64 / columns.clamp(1, COLUMNS_MAX) as u32).min(most)
}

impl Curve {
    /// The one for so many columns: Hilbert's, as far as its turns are tabulated. At 39 files of three columns it skips nearly half as
    /// many files again as z-order by the last of them.
    pub fn through(columns: usize) -> Curve {
        if columns > TURNS_MAX { Curve::ZOrder } else { Curve::Hilbert }
    }
    /// The keys of rows: `ranks[column][row]`, each rank below 2 to the power of `bits(columns)`; no more than `COLUMNS_MAX` columns.
    pub fn keys(self, ranks: &[Vec<u32>]) -> Vec<u64> {
        let (columns, rows) = (ranks.len(), ranks.first().map_or(0, Vec::len));
        let mut keys = vec![0; rows];
        if columns == 0 || columns > COLUMNS_MAX {
            return keys;
        }
        let bits = bits(columns);
        let spread = Spread::new(columns, bits);
        for (column, ranks) in ranks.iter().enumerate() {
            // The first column has the highest bit of each digit.
            let shift = columns - 1 - column;
            for (key, rank) in keys.iter_mut().zip(ranks) {
                *key |= spread.of(*rank) << shift;
            }
        }
        if self == Curve::Hilbert && (2..=TURNS_MAX).contains(&columns) {
            let turns = Turns::new(columns);
            keys.iter_mut().for_each(|key| *key = turns.walk(*key, bits));
        }
        keys
    }
}

/// Ranks with room for the bits of the other columns between theirs.
struct Spread {
    low: Vec<u64>,
    high: Vec<u64>,
}

impl Spread {
    fn new(columns: usize, bits: u32) -> Spread {
        let spread = |byte: u64, from: u32| {
            let places = (0..8).filter(|bit| from + bit < bits);
            places.map(|bit| ((byte >> bit) & 1) << ((from + bit) as usize * columns)).fold(0, |all, bit| all | bit)
        };
        let table = |from: u32| (0..256).map(|byte| spread(byte, from)).collect();
        Spread { low: table(0), high: table(8) }
    }
    fn of(&self, rank: u32) -> u64 {
        self.low[(rank & 0xff) as usize] | self.high[((rank >> 8) & 0xff) as usize]
    }
}

/// How Hilbert's curve turns: in which order it passes the corners of a cube, and how it lies in each of them. A state is the corner at
/// which the curve enters, and the direction in which it leaves.
struct Turns {
    columns: usize,
    /// By state and corner: the corner's place on the curve, and the state there.
    table: Vec<(u8, u16)>,
}

impl Turns {
    fn new(columns: usize) -> Turns {
        let (corners, n) = (1usize << columns, columns as u32);
        let mask = corners as u32 - 1;
        let left = |x: u32, by: u32| ((x << (by % n)) | (x >> ((n - by % n) % n))) & mask;
        let right = |x: u32, by: u32| left(x, n - by % n);
        let gray = |x: u32| x ^ (x >> 1);
        let place_of = |corner: u32| (0..n).fold(corner, |x, by| if by == 0 { x } else { x ^ (corner >> by) });
        // Where the curve enters the sub-cube at a place, and along which axis it runs there.
        let entry = |place: u32| if place == 0 { 0 } else { gray((place - 1) & !1) };
        let axis = |place: u32| match place {
            0 => 0,
            _ if place.is_multiple_of(2) => (place - 1).trailing_ones() % n,
            _ => place.trailing_ones() % n,
        };
        let mut table = Vec::with_capacity(corners * columns * corners);
        for enters in 0..=mask {
            for direction in 0..n {
                for corner in 0..=mask {
                    let place = place_of(right(corner ^ enters, direction + 1));
                    let enters = enters ^ left(entry(place), direction + 1);
                    let direction = (direction + axis(place) + 1) % n;
                    table.push((place as u8, (enters * n + direction) as u16));
                }
            }
        }
        Turns { columns, table }
    }
    /// The place on Hilbert's curve of the cell that z-order visits at `key`.
    fn walk(&self, key: u64, bits: u32) -> u64 {
        let mask = (1u64 << self.columns) - 1;
        let (mut place, mut state) = (0u64, 0usize);
        for level in (0..bits as usize).rev() {
            let corner = ((key >> (level * self.columns)) & mask) as usize;
            let (next, turned) = self.table[(state << self.columns) | corner];
            place = (place << self.columns) | u64::from(next);
            state = usize::from(turned);
        }
        place
    }
}

#[cfg(test)]
#[path = "curve_tests.rs"]
mod tests;
