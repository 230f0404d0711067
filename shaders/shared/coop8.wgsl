enable f16;
enable wgpu_cooperative_matrix;
// Cooperative matrices of 8 x 8: factors in halves, sums in f32. Twin: coop16.wgsl.

const SIDE: u32 = 8u;
alias Left = coop_mat8x8<f16, A>;
alias Right = coop_mat8x8<f16, B>;
alias Sum = coop_mat8x8<f32, C>;
