// Which units may start: the core's 15 semaphores, and those it shares with the other core.
//
// A unit asks to start with those it waits for, two of the core's and a shared one; it starts in
// the cycle of its grant, which takes one from each. Whether all are there is looked at a cycle
// before: a unit is granted one cycle after it asked, or two after the last was given, at the
// earliest. One unit starts in a cycle, the lowest first, and the others are looked at again. Any
// number give at the same time.

`default_nettype none

module semaphores (
  input  wire logic                                         clk_i,
  input  wire logic                                         rst_ni,
  input  wire logic                                         clear_i,

  input  wire logic [specbp_pkg::Units-1:0]                 request_i,
  input  wire specbp_pkg::numbers_t [specbp_pkg::Units-1:0] waits_i,
  output logic [specbp_pkg::Units-1:0]                      grant_o,
  output logic                                              active_o,  // something may change

  input  wire logic [specbp_pkg::Units-1:0]                 give_i,
  input  wire specbp_pkg::numbers_t [specbp_pkg::Units-1:0] signals_i,

  // To shared_semaphores.
  output logic [specbp_pkg::Units-1:0][3:0]                 shared_wanted_o,
  output logic [15:1]                                       shared_taken_o,  // a mask
  output logic [specbp_pkg::Units-1:0][3:0]                 shared_given_o,
  input  wire logic [15:0]                                  shared_available_i
);
  import specbp_pkg::*;

  logic [15:0]                available;
  logic [Units-1:0]           able, able_q;
  logic [15:1]                taken;
  logic [Units-1:0][15:1]     own_q, shared_q;  // what each unit waits for, as masks
  logic [Units-1:0][1:0][3:0] given;

  always_comb begin
    grant_o        = '0;
    taken          = '0;
    shared_taken_o = '0;
    for (int unit = 0; unit < Units; unit++) begin
      if (grant_o == '0 && able_q[unit]) begin
        grant_o[unit]  = 1'b1;
        taken          = own_q[unit];
        shared_taken_o = shared_q[unit];
      end
    end
  end

  // A request stays until it is granted.
  always_comb begin
    for (int unit = 0; unit < Units; unit++) begin
      able[unit] = request_i[unit] && available[waits_i[unit].own[0]]
          && available[waits_i[unit].own[1]] && shared_available_i[waits_i[unit].shared];
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni || clear_i || grant_o != '0) able_q <= '0;
    else able_q <= able;
  end

  always_ff @(posedge clk_i) begin
    for (int unit = 0; unit < Units; unit++) begin
      if (able[unit]) begin
        own_q[unit]    <= masked(waits_i[unit].own[0]) | masked(waits_i[unit].own[1]);
        shared_q[unit] <= masked(waits_i[unit].shared);
      end
    end
  end

  function automatic logic [15:1] masked(logic [3:0] number);
    for (int one = 1; one < 16; one++) masked[one] = number == 4'(one);
  endfunction

  assign active_o = able != '0 || able_q != '0;

  for (genvar unit = 0; unit < Units; unit++) begin : g_units
    assign given[unit]           = give_i[unit] ? signals_i[unit].own : '0;
    assign shared_given_o[unit]  = give_i[unit] ? signals_i[unit].shared : '0;
    assign shared_wanted_o[unit] = request_i[unit] ? waits_i[unit].shared : '0;
  end

  semaphore_counts #(
    .Givers(Units),
    .AtOnce(2)
  ) u_counts (
    .clk_i,
    .rst_ni,
    .clear_i,
    .taken_i    (taken),
    .given_i    (given),
    .available_o(available)
  );

endmodule

`default_nettype wire
