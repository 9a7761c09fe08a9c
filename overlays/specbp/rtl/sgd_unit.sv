// SGD with momentum on int32 masters and momenta, as ARITHMETIC.md section 5 defines it.
//
// Reads two masters, two momenta, two gradients in three cycles, and so does two elements in three
// cycles; their results are written in the same rhythm, 16 cycles later: two masters, two momenta
// and, for every second pair, four int16. The settings hold still from `start_i` to `done_o`. It
// does not check addresses.

`default_nettype none

module sgd_unit (
  input  wire logic            clk_i,
  input  wire logic            rst_ni,
  input  wire logic            abort_i,

  input  wire logic            start_i,
  input  wire logic [15:0]     masters_i,    // scalar words
  input  wire logic [15:0]     momenta_i,
  input  wire logic [15:0]     gradients_i,
  input  wire logic [15:0]     results_i,    // output word
  input  wire logic [15:0]     fours_i,
  input  wire logic [14:0]     mu_i,
  input  wire logic [14:0]     rate_i,
  input  wire logic [14:0]     decay_i,
  input  wire logic [5:0]      rate_shift_i,
  input  wire logic [5:0]      decay_shift_i,
  output logic                 done_o,       // with the last write

  output logic                 read_valid_o,
  output logic [18:0]          read_address_o,
  input  wire logic [63:0]     read_data_i,
  output logic                 write_valid_o,
  output logic [18:0]          write_address_o,
  output logic [63:0]          write_data_o
);
  import specbp_pkg::*;

  typedef enum logic [1:0] {Master, Momentum, Gradient} phase_e;

  function automatic logic [31:0] saturated(logic signed [33:0] value);
    if (value > 34'sh0_7FFF_FFFF) return 32'h7FFF_FFFF;
    if (value < -34'sh0_7FFF_FFFF) return 32'h8000_0001;
    return value[31:0];
  endfunction

  // Reads.
  logic        active_q, reading_q, pair_last;
  phase_e      phase_q;
  logic [16:0] pair_q;  // 0 to 2N - 1
  logic [15:0] base;

  always_comb begin
    unique case (phase_q)
      Master:   base = masters_i;
      Momentum: base = momenta_i;
      default:  base = gradients_i;
    endcase
  end

  assign read_valid_o   = reading_q;
  assign read_address_o = 19'(base) + 19'(pair_q);
  assign pair_last      = pair_q == {fours_i, 1'b0} - 17'd1;

  always_ff @(posedge clk_i) begin
    if (!rst_ni || abort_i) begin
      active_q  <= 1'b0;
      reading_q <= 1'b0;
    end else if (start_i) begin
      active_q  <= 1'b1;
      reading_q <= 1'b1;
    end else begin
      if (phase_q == Gradient && pair_last) reading_q <= 1'b0;
      if (done_o) active_q <= 1'b0;
    end
  end

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      phase_q <= Master;
      pair_q  <= '0;
    end else if (reading_q) begin
      phase_q <= phase_q == Master ? Momentum : phase_q == Momentum ? Gradient : Master;
      if (phase_q == Gradient) pair_q <= pair_q + 17'd1;
    end
  end

  // Operands: the lower halves when the gradients arrive, the upper ones a cycle later.
  logic        arrives_q, upper_q;
  phase_e      arrived_q;
  logic [63:0] master_q, momentum_q;
  logic [31:0] gradient_upper_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni || abort_i) begin
      arrives_q <= 1'b0;
      upper_q   <= 1'b0;
    end else begin
      arrives_q <= reading_q;
      upper_q   <= arrives_q && arrived_q == Gradient;
    end
  end

  always_ff @(posedge clk_i) begin
    arrived_q <= phase_q;
    if (arrives_q) begin
      unique case (arrived_q)
        Master:   master_q <= read_data_i;
        Momentum: momentum_q <= read_data_i;
        default:  gradient_upper_q <= read_data_i[63:32];
      endcase
    end
  end

  // The pipeline of an element; stage 0 holds its operands. `upper` marks the second of a pair.
  localparam int unsigned Last = 15;

  logic [Last:0]      valid_q, is_upper_q;
  logic               lower_in, in_valid;
  logic signed [31:0] w_q, m_q, g_q, g_1_q, g_2_q;
  logic signed [46:0] momentum_product_q, decay_product_q, rate_product_q;
  logic signed [31:0] momentum_rounded_q;
  logic signed [32:0] momentum_gradient_q;
  logic signed [33:0] momentum_sum_q, difference_q;
  logic [31:0]        momentum_new_q, master_new_q, decay_rounded, rate_rounded;
  logic [11:0][31:0]  w_delay_q;                 // stage 1 to 12
  logic [1:0][32:0]   momentum_gradient_delay_q; // stage 4 and 5
  logic [7:0][31:0]   momentum_delay_q;          // stage 8 to 15
  logic [31:0]        master_15_q;
  logic signed [16:0] upper_half;
  logic [15:0]        short_15_q;

  assign lower_in = arrives_q && arrived_q == Gradient;
  assign in_valid = lower_in || upper_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni || abort_i) valid_q <= '0;
    else valid_q <= {valid_q[Last-1:0], in_valid};
  end

  always_ff @(posedge clk_i) begin
    if (active_q) begin
      is_upper_q                <= {is_upper_q[Last-1:0], upper_q};
      w_delay_q                 <= {w_delay_q[10:0], w_q};
      momentum_gradient_delay_q <= {momentum_gradient_delay_q[0], momentum_gradient_q};
      momentum_delay_q          <= {momentum_delay_q[6:0], momentum_new_q};
    end
    if (in_valid) begin
      w_q <= upper_q ? master_q[63:32] : master_q[31:0];
      m_q <= upper_q ? momentum_q[63:32] : momentum_q[31:0];
      g_q <= upper_q ? gradient_upper_q : read_data_i[31:0];
    end
    if (valid_q[0]) begin
      momentum_product_q <= 47'(m_q * $signed({1'b0, mu_i}));
      decay_product_q    <= 47'(w_q * $signed({1'b0, decay_i}));
      g_1_q              <= g_q;
    end
    // |mu * m| >> 15 is below 2^31: nothing to saturate.
    if (valid_q[1]) begin
      momentum_rounded_q <= 32'(momentum_product_q >>> 15) + 32'(momentum_product_q[14]);
      g_2_q              <= g_1_q;
    end
    if (valid_q[2]) momentum_gradient_q <= 33'(momentum_rounded_q) + 33'(g_2_q);
    if (valid_q[5]) begin
      momentum_sum_q <= 34'($signed(momentum_gradient_delay_q[1])) + 34'($signed(decay_rounded));
    end
    if (valid_q[6]) momentum_new_q <= saturated(momentum_sum_q);
    if (valid_q[7]) rate_product_q <= 47'($signed(momentum_new_q) * $signed({1'b0, rate_i}));
    if (valid_q[12]) difference_q <= 34'($signed(w_delay_q[11])) - 34'($signed(rate_rounded));
    if (valid_q[13]) master_new_q <= saturated(difference_q);
    if (valid_q[14]) begin
      master_15_q <= master_new_q;
      if (upper_half == 17'sd32768) short_15_q <= 16'h7FFF;
      else if (upper_half == -17'sd32768) short_15_q <= 16'h8001;
      else short_15_q <= upper_half[15:0];
    end
  end

  assign upper_half = 17'($signed(master_new_q[31:16])) + 17'(master_new_q[15]);

  requantise_lane u_decay (
    .clk_i,
    .valid_i (valid_q[4:1]),
    .sum_i   (SumWidth'(decay_product_q)),
    .shift_i (decay_shift_i),
    .narrow_i(1'b0),
    .raw_i   (1'b0),
    .relu_i  (1'b0),
    .result_o(decay_rounded)
  );

  requantise_lane u_rate (
    .clk_i,
    .valid_i (valid_q[11:8]),
    .sum_i   (SumWidth'(rate_product_q)),
    .shift_i (rate_shift_i),
    .narrow_i(1'b0),
    .raw_i   (1'b0),
    .relu_i  (1'b0),
    .result_o(rate_rounded)
  );

  // Writes: a pair's masters when its second element is here, then its momenta, then the int16.
  logic             pair_here, odd_q;
  logic [31:0]      master_lower_q, momentum_lower_q, momentum_upper_q;
  logic [3:0][15:0] short_q;
  logic [1:0]       follows_q;  // the writes that follow: momenta, int16
  logic [18:0]      master_address_q, momentum_address_q, short_address_q;
  logic [16:0]      left_q;

  assign pair_here = valid_q[Last] && is_upper_q[Last];

  always_ff @(posedge clk_i) begin
    if (!rst_ni || abort_i) follows_q <= '0;
    else follows_q <= {follows_q[0], pair_here};
  end

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      odd_q              <= 1'b0;
      master_address_q   <= 19'(results_i);
      momentum_address_q <= 19'(results_i) + {2'd0, fours_i, 1'b0};
      short_address_q    <= 19'(results_i) + {1'b0, fours_i, 2'b00};
      left_q             <= {1'b0, fours_i};
    end
    if (valid_q[Last]) begin
      if (is_upper_q[Last]) begin
        momentum_upper_q <= momentum_delay_q[7];
        master_address_q <= master_address_q + 19'd1;
      end else begin
        master_lower_q   <= master_15_q;
        momentum_lower_q <= momentum_delay_q[7];
      end
      short_q <= {short_15_q, short_q[3:1]};
    end
    if (follows_q[0]) begin
      odd_q              <= !odd_q;
      momentum_address_q <= momentum_address_q + 19'd1;
    end
    // `odd_q` has turned: this was the second of two pairs.
    if (follows_q[1] && !odd_q) begin
      short_address_q <= short_address_q + 19'd1;
      left_q          <= left_q - 17'd1;
    end
  end

  always_comb begin
    write_valid_o   = pair_here || follows_q[0] || (follows_q[1] && !odd_q);
    write_address_o = short_address_q;
    write_data_o    = short_q;
    if (pair_here) begin
      write_address_o = master_address_q;
      write_data_o    = {master_15_q, master_lower_q};
    end else if (follows_q[0]) begin
      write_address_o = momentum_address_q;
      write_data_o    = {momentum_upper_q, momentum_lower_q};
    end
  end
  assign done_o = follows_q[1] && !odd_q && left_q == 17'd1;

endmodule

`default_nettype wire
