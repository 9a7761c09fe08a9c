// What a queue promises, whatever comes: order and content, never more than `Depth`, never one that
// was not pushed.

`default_nettype none

module stream_fifo_properties #(
  parameter int unsigned Width = 2,
  parameter int unsigned Depth = 4
) (
  input wire logic             clk_i,
  input wire logic             clear_i,
  input wire logic             in_valid_i,
  input wire logic [Width-1:0] in_data_i,
  input wire logic             out_ready_i,
  input wire logic [4:0]       chosen_i  // number of the item that is followed
);

  logic             rst_n = 1'b0;
  logic             in_ready, out_valid;
  logic [Width-1:0] out_data;

  stream_fifo #(
    .Width(Width),
    .Depth(Depth)
  ) dut (
    .clk_i,
    .rst_ni     (rst_n),
    .clear_i,
    .in_valid_i,
    .in_ready_o (in_ready),
    .in_data_i,
    .out_valid_o(out_valid),
    .out_ready_i,
    .out_data_o (out_data)
  );

  logic             push, pop, followed = 1'b0;
  logic [4:0]       pushed = '0, popped = '0, chosen = '0, held;
  logic [Width-1:0] item = '0;

  assign push = in_valid_i && in_ready;
  assign pop  = out_valid && out_ready_i;
  assign held = pushed - popped;

  always_ff @(posedge clk_i) begin
    rst_n <= 1'b1;
    if (!rst_n) chosen <= chosen_i;
    if (!rst_n || clear_i) begin
      pushed   <= '0;
      popped   <= '0;
      followed <= 1'b0;
    end else begin
      pushed <= pushed + 5'(push);
      popped <= popped + 5'(pop);
      if (push && pushed == chosen) begin
        followed <= 1'b1;
        item     <= in_data_i;
      end else if (pop && popped == chosen) begin
        followed <= 1'b0;
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (rst_n) begin
      never_too_many : assert (held <= 5'(Depth));
      room           : assert (in_ready == (held != 5'(Depth)));
      offered        : assert (out_valid == (held != 0));
      in_order       : assert (!(followed && out_valid && popped == chosen) || out_data == item);
    end
  end

endmodule

`default_nettype wire
