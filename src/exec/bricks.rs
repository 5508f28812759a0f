//! Rows divided into cells of about equally many, of which a small range of any column touches few. Kind: pure. Spec: ZOR.
//!
//! The rows are cut into slices by the first column, each slice into beams by the second, and so on; the last column cuts beams into
//! bricks, which are the cells. A range that meets a cut reads the cells on both sides of it. So the first column, whose cuts go through
//! all cells, makes few slices, and every later cut is moved a little until no range meets two of them, as a mason staggers joints.
//! Invariant: each row has one cell, and rows of equal ranks have the same.

/// Rows of the sample that stand for a cell at least.
const ROWS_LEAST: usize = 16;
/// How far a cut may be moved, as a share of the smaller of the two parts that it divides, and what these parts then weigh at least and
/// at most, in cells of the size that all would have if they were equal.
const SLACK: f64 = 0.3;
const LIGHTEST: f64 = 0.5;
const HEAVIEST: f64 = 1.7;
/// The share of the rows in the ranges of which none is to meet two cuts: first more than what counts, which leaves room for later cuts.
const RANGES: [f64; 2] = [0.015, 0.01];
/// Places that are tried for a cut, and ways to share cells out that are tried for a group.
const PLACES: usize = 24;
const WAYS: usize = 8;
/// Attempts to stagger cuts: at most so many, and so many cells in all of them, but for the first.
const ATTEMPTS: usize = 16;
const CELLS_TRIED: usize = 1000;

/// Cells, found by cutting column after column.
pub(crate) struct Bricks {
    /// The first one is the whole.
    nodes: Vec<Node>,
    cells: u32,
}

/// A part of the rows: cut by a column, or a cell.
#[derive(Default)]
struct Node {
    column: usize,
    /// The first rank of each child but the first.
    cuts: Vec<u32>,
    /// Places among nodes; of a cell there are none.
    children: Vec<usize>,
    cell: u32,
}

/// Rows of the sample that become so many cells.
struct Group {
    node: usize,
    rows: Vec<u32>,
    cells: usize,
}

impl Bricks {
    /// About `cells` of them, fewer when rows cannot be told apart or the sample is too small. `sample[column][row]` are ranks below 2 to
    /// the power of `bits`.
    pub fn of(sample: &[Vec<u32>], bits: u32, cells: usize) -> Bricks {
        let rows = sample.first().map_or(0, Vec::len);
        let cells = cells.min(rows / ROWS_LEAST).max(1);
        let mut bricks = Bricks { nodes: vec![Node::default()], cells: 0 };
        let mut groups = vec![Group { node: 0, rows: (0..rows as u32).collect(), cells }];
        // A column of few values comes first: later it could not be cut as often as it would have to be.
        let mut order: Vec<usize> = (0..sample.len()).collect();
        order.sort_by_cached_key(|column| {
            let mut ranks = sample[*column].clone();
            ranks.sort_unstable();
            distinct(&ranks).min(cells)
        });
        // What the last column could not tell apart is left to the others once more.
        for (at, column) in order.iter().chain(&order).enumerate() {
            let parts = parts(groups.len(), order.len().saturating_sub(at).max(1), cells);
            groups = bricks.cut(groups, *column, &sample[*column], bits, parts);
        }
        bricks.number(0);
        bricks
    }
    /// The cell of each row, numbered from 0: `ranks[column][row]` as in the sample.
    pub fn of_rows(&self, ranks: &[Vec<u32>]) -> Vec<u32> {
        let rows = ranks.first().map_or(0, Vec::len);
        (0..rows).map(|row| self.of_row(|column| ranks[column][row])).collect()
    }
    fn of_row(&self, rank: impl Fn(usize) -> u32) -> u32 {
        let mut node = &self.nodes[0];
        while !node.children.is_empty() {
            let rank = rank(node.column);
            node = &self.nodes[node.children[node.cuts.partition_point(|cut| *cut <= rank)]];
        }
        node.cell
    }
    /// Numbers the cells of a node, neighbours one after the other.
    fn number(&mut self, node: usize) {
        if self.nodes[node].children.is_empty() {
            self.nodes[node].cell = self.cells;
            self.cells += 1;
        }
        for child in self.nodes[node].children.clone() {
            self.number(child);
        }
    }
    /// Cuts groups by a column, into so many parts together.
    fn cut(&mut self, mut groups: Vec<Group>, column: usize, ranks: &[u32], bits: u32, parts: usize) -> Vec<Group> {
        let cells: usize = groups.iter().map(|group| group.cells).sum();
        let (mut walls, mut before) = (Vec::with_capacity(groups.len()), 0);
        for group in &mut groups {
            group.rows.sort_by_key(|row| ranks[*row as usize]);
            let sorted: Vec<u32> = group.rows.iter().map(|row| ranks[*row as usize]).collect();
            let share = (before + group.cells) * parts / cells - before * parts / cells;
            before += group.cells;
            let most = distinct(&sorted).min(group.cells).max(1);
            walls.push(Wall::new(sorted, group.cells, ranks.len() as f64 / cells as f64, share.clamp(1, most)));
        }
        stagger(&mut walls, bits, ((groups.len() + 1) * cells).div_ceil(parts.max(1)));
        let mut made = Vec::with_capacity(parts);
        for (group, wall) in groups.into_iter().zip(walls) {
            if wall.cuts.is_empty() {
                made.push(group);
                continue;
            }
            self.nodes[group.node].column = column;
            self.nodes[group.node].cuts = wall.cuts.iter().map(|row| ranks[group.rows[*row] as usize]).collect();
            let mut from = 0;
            for (to, cells) in wall.cuts.into_iter().chain([group.rows.len()]).zip(wall.shares) {
                let node = self.nodes.len();
                self.nodes.push(Node::default());
                self.nodes[group.node].children.push(node);
                made.push(Group { node, rows: group.rows[from..to].to_vec(), cells });
                from = to;
            }
        }
        made
    }
}

/// Into how many parts so many groups are cut when so many columns, this one included, are left to make `cells` of them. By this column a
/// range reads one part of each group, and of one group two: `groups + 1` parts of `cells / parts` cells. That is to be the same for
/// all columns that are left.
fn parts(groups: usize, columns: usize, cells: usize) -> usize {
    if columns == 1 {
        return cells;
    }
    let after = |factor: f64, columns: usize| (0..columns).fold(groups as f64, |groups, _| (groups + 1.0) * factor);
    let (mut low, mut high) = (0.0, cells as f64);
    for _ in 0..64 {
        let middle = (low + high) / 2.0;
        if after(middle, columns) < cells as f64 { low = middle } else { high = middle }
    }
    (after(high, 1).round() as usize).clamp(groups.min(cells), cells)
}

/// The ranks of a group's rows, ascending, and where they are cut.
#[derive(Clone)]
struct Wall {
    ranks: Vec<u32>,
    cells: usize,
    /// Rows of a cell, if all cells were equal.
    even: f64,
    /// Cells of each part, and the first row of each but the first.
    shares: Vec<usize>,
    cuts: Vec<usize>,
    /// Whether the cuts are where values let them be.
    fixed: bool,
}

impl Wall {
    fn new(ranks: Vec<u32>, cells: usize, even: f64, parts: usize) -> Wall {
        let mut wall = Wall { ranks, cells, even, shares: vec![0; parts], cuts: Vec::new(), fixed: false };
        let values = distinct(&wall.ranks);
        if parts > 1 && values <= parts {
            let changes = |row: &usize| wall.ranks[row - 1] < wall.ranks[*row];
            wall.fix((1..wall.ranks.len()).filter(changes).collect());
        } else if !wall.share(0) {
            let cuts = std::mem::take(&mut wall.cuts);
            wall.fix(cuts);
        }
        wall
    }
    /// Cuts here, ascending, and gives each part as many cells as its rows fill; a part that does not fill one is left to the next.
    fn fix(&mut self, cuts: Vec<usize>) {
        (self.fixed, self.shares, self.cuts) = (true, Vec::new(), Vec::new());
        let mut before = 0;
        for row in cuts {
            let cells = (row * self.cells + self.ranks.len() / 2) / self.ranks.len();
            if cells > before && cells < self.cells && self.ranks[row - 1] < self.ranks[row] {
                self.cuts.push(row);
                self.shares.push(cells - before);
                before = cells;
            }
        }
        self.shares.push(self.cells - before);
    }
    /// Shares the cells out evenly among the parts; by the way it is known which of them have one more. Cuts go where they belong; false
    /// when rows of one rank keep one from it.
    fn share(&mut self, way: usize) -> bool {
        let parts = self.shares.len();
        let until = |part: usize| if part == parts { self.cells } else { (part * self.cells + way.min(part * parts)) / parts };
        self.shares = (0..parts).map(|part| until(part + 1) - until(part)).collect();
        self.cuts = (1..parts).filter_map(|part| self.clean(self.ideal(part - 1))).collect();
        self.cuts.len() + 1 == parts && (0..parts - 1).all(|cut| self.cuts[cut].abs_diff(self.ideal(cut)) <= self.slack(cut))
    }
    fn ways(&self) -> usize {
        let parts = self.shares.len();
        if self.fixed || self.cells.is_multiple_of(parts) { 0 } else { parts.min(WAYS) }
    }
    /// The row at which a cut leaves equally many rows for each cell.
    fn ideal(&self, cut: usize) -> usize {
        self.shares[..=cut].iter().sum::<usize>() * self.ranks.len() / self.cells
    }
    /// How many rows a cut may be moved.
    fn slack(&self, cut: usize) -> usize {
        let smaller = self.shares[cut].min(self.shares[cut + 1]);
        (SLACK * (smaller * self.ranks.len()) as f64 / self.cells as f64) as usize
    }
    /// The nearest row that has another rank than the one before it.
    fn clean(&self, row: usize) -> Option<usize> {
        let rank = *self.ranks.get(row)?;
        let (first, end) = (self.ranks.partition_point(|r| *r < rank), self.ranks.partition_point(|r| *r <= rank));
        let nearest = if row - first <= end - row { [first, end] } else { [end, first] };
        nearest.into_iter().find(|row| *row > 0 && *row < self.ranks.len())
    }
    /// Where else a cut may be, nearest to its ideal place first.
    fn places(&self, cut: usize) -> Vec<usize> {
        if self.fixed {
            return Vec::new();
        }
        let (ideal, slack) = (self.ideal(cut), self.slack(cut));
        let (from, to) = (self.rows(cut).start, self.rows(cut + 1).end);
        let fits = |part: usize, rows: usize| (LIGHTEST..=HEAVIEST).contains(&(rows as f64 / (self.shares[part] as f64 * self.even)));
        let tried = (ideal.saturating_sub(slack)..=ideal + slack).step_by((2 * slack / PLACES).max(1)).chain([ideal]);
        let mut places: Vec<usize> = tried.filter_map(|row| self.clean(row)).collect();
        places.retain(|row| row.abs_diff(ideal) <= slack && (from..=to).contains(row) && fits(cut, row - from) && fits(cut + 1, to - row));
        places.sort_by_key(|row| (row.abs_diff(ideal), *row));
        places.dedup();
        places
    }
    /// The rows of a part.
    fn rows(&self, part: usize) -> std::ops::Range<usize> {
        let from = part.checked_sub(1).map_or(0, |before| self.cuts[before]);
        from..self.cuts.get(part).copied().unwrap_or(self.ranks.len())
    }
}

/// Moves the cuts of walls that stand side by side, so that no range reads many cells: the best of some attempts, which differ in the
/// order in which walls are looked at, or the first by which no range reads more than `enough`.
fn stagger(walls: &mut Vec<Wall>, bits: u32, enough: usize) {
    let cells: usize = walls.iter().map(|wall| wall.cells).sum();
    if walls.len() < 2 || walls.iter().all(|wall| wall.cuts.is_empty()) {
        return;
    }
    let mut best: Option<((f64, f64), Vec<Wall>)> = None;
    for attempt in 0..(CELLS_TRIED / cells).clamp(1, ATTEMPTS) as u64 {
        let mut made = walls.clone();
        let mut order: Vec<usize> = (0..made.len()).collect();
        order.sort_by_key(|at| (*at as u64 + 1).wrapping_mul(attempt.wrapping_mul(0x9E37_79B9_7F4A_7C15)));
        let mut judged = (0.0, 0.0);
        for range in RANGES {
            let mut cover = Cover::new(bits, range);
            made.iter().for_each(|wall| cover.count(wall, 1.0));
            order.iter().for_each(|at| cover.fit(&mut made[*at]));
            judged = (cover.read.iter().copied().fold(0.0, f64::max), cover.weight(0..cover.read.len()));
        }
        if best.as_ref().is_none_or(|(least, _)| judged < *least) {
            best = Some((judged, made));
        }
        if judged.0 <= enough as f64 {
            break;
        }
    }
    if let Some((_, made)) = best {
        *walls = made;
    }
}

/// How many cells a range reads, by the rank at which it begins.
struct Cover {
    read: Vec<f64>,
    /// Ranks of a range.
    range: usize,
}

impl Cover {
    fn new(bits: u32, range: f64) -> Cover {
        let ranks = 1usize << bits;
        Cover { read: vec![0.0; ranks], range: (range * ranks as f64) as usize + 2 }
    }
    fn count(&mut self, wall: &Wall, sign: f64) {
        (0..wall.shares.len()).for_each(|part| self.count_part(wall, part, sign));
    }
    fn count_part(&mut self, wall: &Wall, part: usize, sign: f64) {
        let reached = self.reached(wall, wall.rows(part));
        let cells = sign * wall.shares[part] as f64;
        self.read[reached].iter_mut().for_each(|read| *read += cells);
    }
    /// Where ranges begin that reach these rows.
    fn reached(&self, wall: &Wall, rows: std::ops::Range<usize>) -> std::ops::Range<usize> {
        let Some(first) = wall.ranks.get(rows.start).filter(|_| !rows.is_empty()) else { return 0..0 };
        // Up to the next part: the sample may lack the ranks right before it.
        let end = wall.ranks.get(rows.end).map_or_else(|| wall.ranks.last().map_or(0, |last| last + 1), |next| *next);
        (*first as usize).saturating_sub(self.range)..(end as usize).min(self.read.len())
    }
    /// What is to be small: the greatest numbers count most.
    fn weight(&self, ranks: std::ops::Range<usize>) -> f64 {
        self.read[ranks].iter().map(|read| read.powi(16)).sum()
    }
    /// Shares the cells of a wall that is counted out, and places its cuts, so that they add least.
    fn fit(&mut self, wall: &mut Wall) {
        if wall.cuts.is_empty() {
            return;
        }
        self.count(wall, -1.0);
        let now = (wall.shares.clone(), wall.cuts.clone());
        let mut best: Option<(f64, Vec<usize>, Vec<usize>)> = None;
        for way in std::iter::once(None).chain((0..wall.ways()).map(Some)) {
            match way {
                Some(way) if !wall.share(way) => continue,
                Some(_) => {}
                None => (wall.shares, wall.cuts) = now.clone(),
            }
            self.count(wall, 1.0);
            self.settle(wall);
            self.settle(wall);
            let weight = self.weight(0..self.read.len());
            self.count(wall, -1.0);
            if best.as_ref().is_none_or(|(least, ..)| weight < *least) {
                best = Some((weight, wall.shares.clone(), wall.cuts.clone()));
            }
        }
        if let Some((_, shares, cuts)) = best {
            (wall.shares, wall.cuts) = (shares, cuts);
        }
        self.count(wall, 1.0);
    }
    /// Moves each cut of a wall that is counted to where it adds least.
    fn settle(&mut self, wall: &mut Wall) {
        for cut in 0..wall.cuts.len() {
            let touched = self.reached(wall, wall.rows(cut).start..wall.rows(cut + 1).end);
            let now = wall.cuts[cut];
            let mut best = (self.weight(touched.clone()), now);
            for place in wall.places(cut) {
                self.move_cut(wall, cut, place);
                let weight = self.weight(touched.clone());
                if weight < best.0 {
                    best = (weight, place);
                }
            }
            self.move_cut(wall, cut, best.1);
        }
    }
    fn move_cut(&mut self, wall: &mut Wall, cut: usize, place: usize) {
        for part in [cut, cut + 1] {
            self.count_part(wall, part, -1.0);
        }
        wall.cuts[cut] = place;
        for part in [cut, cut + 1] {
            self.count_part(wall, part, 1.0);
        }
    }
}

/// How many different ones there are among ascending ranks.
fn distinct(ranks: &[u32]) -> usize {
    ranks.chunk_by(|a, b| a == b).count()
}

#[cfg(test)]
#[path = "bricks_tests.rs"]
mod tests;
