// TABLE of ARITHMETIC.md section 4: floor(2^(15 - k/256) + 1/2) for k = 0 to 255.
//
// Latency: a cycle. The entries are computed when the design is built, from 2^(-1/2), 2^(-1/4) and
// so on to 2^(-1/256) with 40 bits behind the point; a test compares them with the definition.

`default_nettype none

module softmax_table (
  input  wire logic   clk_i,
  input  wire logic   valid_i,
  input  wire logic [7:0] index_i,
  output logic [15:0] value_o
);

  typedef logic [255:0][15:0] table_t;

  function automatic table_t entries();
    // 2^(-2^bit/256) * 2^40, rounded.
    logic [7:0][39:0] powers;
    table_t           values;
    powers = {
      40'd777472127994,
      40'd924575386327,
      40'd1008256608221,
      40'd1052895941925,
      40'd1075951360882,
      40'd1087667703029,
      40'd1093573631100,
      40'd1096538610001
    };
    for (int k = 0; k < 256; k++) begin
      logic [63:0] value;
      value = 64'd1 << 40;
      for (int digit = 0; digit < 8; digit++) begin
        if (k[digit]) value = 64'((128'(value) * 128'(powers[digit]) + (128'd1 << 39)) >> 40);
      end
      values[k] = 16'((value + (64'd1 << 24)) >> 25);
    end
    return values;
  endfunction

  localparam table_t Entries = entries();

  always_ff @(posedge clk_i) begin
    if (valid_i) value_o <= Entries[index_i];
  end

endmodule

`default_nettype wire
