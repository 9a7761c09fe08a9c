// Walks four nested loops of strided addresses, level 0 innermost.
//
// The first address is there a cycle after `start_i`, each next one a cycle after `step_i`: an
// address a cycle. Counts and strides are not kept: they stay as they are until the last step.
// It does not check addresses; they wrap.

`default_nettype none

module strided_walk #(
  parameter int unsigned AddressWidth = 32,
  parameter int unsigned Levels       = 4
) (
  input  wire logic                                clk_i,
  input  wire logic                                rst_ni,
  input  wire logic                                abort_i,

  input  wire logic                                start_i,
  input  wire logic [AddressWidth-1:0]             first_i,
  input  wire logic [Levels-1:0][15:0]             counts_i,  // at least 1
  input  wire logic [Levels-1:0][AddressWidth-1:0] strides_i,

  output logic                                     valid_o,
  output logic [AddressWidth-1:0]                  address_o,
  output logic                                     last_o,
  output logic                                     inner_last_o,  // the last of level 0
  input  wire logic                                step_i
);

  // The address at which the current iteration of each level began; what is left of each level,
  // the current iteration included.
  logic [Levels-1:0][AddressWidth-1:0] address_q;
  logic [Levels-1:0][15:0]             left_q;
  logic [Levels-1:0]                   ended;
  logic [AddressWidth-1:0]             from, stride, next;
  logic                                active_q;

  // A level moves when all below it have ended.
  logic [Levels-1:0] moves;

  for (genvar level = 0; level < Levels; level++) begin : g_ended
    assign ended[level] = left_q[level] == 16'd1;
    if (level == 0) begin : g_inner
      assign moves[level] = 1'b1;
    end else begin : g_outer
      assign moves[level] = moves[level-1] && ended[level-1];
    end
  end

  // The innermost level that goes on.
  always_comb begin
    from   = address_q[Levels-1];
    stride = strides_i[Levels-1];
    for (int level = Levels - 2; level >= 0; level--) begin
      if (!ended[level]) begin
        from   = address_q[level];
        stride = strides_i[level];
      end
    end
  end
  assign next = from + stride;

  assign valid_o      = active_q;
  assign address_o    = address_q[0];
  assign last_o       = &ended;
  assign inner_last_o = ended[0];

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      left_q    <= counts_i;
      address_q <= {Levels{first_i}};
    end else if (step_i) begin
      for (int level = 0; level < Levels; level++) begin
        if (moves[level]) begin
          left_q[level]    <= ended[level] ? counts_i[level] : left_q[level] - 16'd1;
          address_q[level] <= next;
        end
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni || abort_i) active_q <= 1'b0;
    else if (start_i) active_q <= 1'b1;
    else if (step_i && last_o) active_q <= 1'b0;
  end

endmodule

`default_nettype wire
