//! The one integration binary.

mod golden;
mod support;
