//! E.164: assigned country codes and the dialled forms of a number.
