use super::*;

fn texts(cells: &[&str]) -> Vec<String> {
    cells.iter().map(|cell| (*cell).to_owned()).collect()
}

#[test]
fn columns_take_the_room_they_need_and_those_without_room_are_left_out() {
    let names = texts(&["id", "name", "note", "more"]);
    let lines = [texts(&["1", "a name of some length", &"x".repeat(200), "y"])];
    assert_eq!(rooms(200, &names, &lines), [2, 21, CUT_WIDTH, 4]);
    assert_eq!(rooms(60, &names, &lines), [2, 21, 27], "the frame and the cut column fill the line");
    assert_eq!(rooms(40, &names, &lines), [2, 21], "what is left is too narrow to say anything");
    for width in [0, 5, 20] {
        assert_eq!(rooms(width, &names, &lines).len(), 2, "two columns are always there");
    }
}

#[test]
fn long_text_is_cut_at_a_character() {
    assert_eq!(shortened("Mühlenweg", 4), "Müh…");
    assert_eq!(shortened("Mühlenweg", 9), "Mühlenweg");
    assert_eq!(shortened("ab", 1), "…");
}

#[test]
fn wide_letters_count_as_two_cells_so_that_a_table_of_them_fits() {
    assert_eq!(shortened("東京都", 6), "東京都");
    assert_eq!(shortened("東京都", 5), "東京…");
    assert_eq!(shortened("東京都", 4), "東…", "half a letter is none");
    let names = texts(&["市", "note"]);
    let lines = [texts(&[&"東".repeat(30), &"京".repeat(50)])];
    let found = rooms(80, &names, &lines);
    assert_eq!(found, [CUT_WIDTH, 80 - 1 - CUT_WIDTH - 2 * COLUMN_FRAME]);
    let cut: Vec<String> = lines[0].iter().zip(&found).map(|(cell, room)| shortened(cell, *room)).collect();
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED).add_row(cut);
    assert!(table.to_string().lines().all(|line| line.width() <= 80), "{table}");
}
