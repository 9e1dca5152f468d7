//! The solvers for browsers, as they are served: see `pow/wasm`.

/// In WebAssembly.
pub const SOLVER_WASM: &[u8] = include_bytes!("../wasm/solver.wasm");
/// In WebAssembly with SIMD.
pub const SOLVER_SIMD_WASM: &[u8] = include_bytes!("../wasm/solver-simd.wasm");
/// In JavaScript, and the wrapper around the other two.
pub const SOLVER_JS: &str = include_str!("../wasm/solver.js");
