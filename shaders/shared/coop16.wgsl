enable f16;
enable wgpu_cooperative_matrix;
// Cooperative matrices of 16 x 16: factors in halves, sums in f32. Twin: coop8.wgsl.

const SIDE: u32 = 16u;
alias Left = coop_mat16x16<f16, A>;
alias Right = coop_mat16x16<f16, B>;
alias Sum = coop_mat16x16<f32, C>;
