// The 15 semaphores between the cores.
//
// A core takes at most one in a cycle, which was available to it in the cycle before. Where two
// want the same one, the lower core goes first, even while something else holds it up: a program in
// which two units take one semaphore is wrong. What is being taken is available to nobody.

`default_nettype none

module shared_semaphores #(
  parameter int unsigned Cores = 2
) (
  input  wire logic                                          clk_i,
  input  wire logic                                          rst_ni,
  input  wire logic                                          clear_i,

  // Of each core: those that its units wait for, the one it takes, those it gives; 0 is none.
  input  wire logic [Cores-1:0][specbp_pkg::Units-1:0][3:0]  wanted_i,
  input  wire logic [Cores-1:0][15:1]                        taken_i,  // a mask
  input  wire logic [Cores-1:0][specbp_pkg::Units-1:0][3:0]  given_i,
  output logic [Cores-1:0][15:0]                             available_o
);
  import specbp_pkg::*;

  logic [15:0] available;
  logic [15:1] taken;

  always_comb begin
    taken = '0;
    for (int core = 0; core < Cores; core++) taken |= taken_i[core];
  end

  semaphore_counts #(
    .Givers(Cores * Units),
    .AtOnce(1)
  ) u_counts (
    .clk_i,
    .rst_ni,
    .clear_i,
    .taken_i    (taken),
    .given_i,
    .available_o(available)
  );

  always_comb begin
    for (int core = 0; core < Cores; core++) begin
      available_o[core] = available & {~taken, 1'b1};
      for (int lower = 0; lower < core; lower++) begin
        for (int unit = 0; unit < Units; unit++) begin
          if (wanted_i[lower][unit] != '0) available_o[core][wanted_i[lower][unit]] = 1'b0;
        end
      end
    end
  end

  logic unused;
  assign unused = ^{wanted_i[Cores-1]};

endmodule

`default_nettype wire
