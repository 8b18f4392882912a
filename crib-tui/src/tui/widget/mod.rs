//! Parts that screens are put together from; none knows what it shows.

pub mod arrange;
pub mod bar;
pub mod bytes;
pub mod sheet;
pub mod spark;
pub mod table;
