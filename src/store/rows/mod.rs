//! The tables that people edit, column by column. The README documents them for SQL by hand.
//!
//! - `tenants`: organizations, accounts, applications. `numbers`. `peers`: trunks and gateways.

mod numbers;
mod peers;
mod tenants;

pub use numbers::{Fields, NumberRow, NumberState};
pub use peers::{GatewayRow, TrunkRow};
pub use tenants::{AccountRow, ApplicationRow, OrganizationRow, Role};
