// What the write engine promises on its port and to its client, whatever both do, aborts included.
//
// The memory acknowledges a burst after it has taken its address and all of its data; that is all
// that is assumed of it.

`default_nettype none

module axi_write_engine_properties #(
  parameter int unsigned AddressWidth = 14,  // four pages of 4 KB
  parameter int unsigned CountWidth   = 6,
  parameter int unsigned Outstanding  = 2
) (
  input wire logic                    clk_i,
  input wire logic                    abort_i,
  input wire logic                    cmd_valid_i,
  input wire logic [AddressWidth-1:0] cmd_address_i,
  input wire logic [CountWidth-1:0]   cmd_beats_i,
  input wire logic [7:0]              cmd_last_strobes_i,
  input wire logic                    cmd_final_i,
  input wire logic                    data_valid_i,
  input wire logic [63:0]             data_i,
  input wire logic                    awready_i,
  input wire logic                    wready_i,
  input wire logic                    bvalid_i,
  input wire logic [AddressWidth-1:3] chosen_i,       // the beat in memory that is followed
  input wire logic [3:0]              chosen_burst_i,  // the burst that is followed
  input wire logic [5:0]              chosen_data_i    // the data that are followed
);

  logic                    rst_n = 1'b0;
  logic                    idle, cmd_ready, done, data_ready, awvalid, wvalid, wlast;
  logic [AddressWidth-1:0] awaddr;
  logic [7:0]              awlen, wstrb;
  logic [2:0]              awsize;
  logic [1:0]              awburst;
  logic [63:0]             wdata;

  axi_write_engine #(
    .AddressWidth(AddressWidth),
    .CountWidth  (CountWidth),
    .Outstanding (Outstanding)
  ) dut (
    .clk_i,
    .rst_ni            (rst_n),
    .abort_i,
    .idle_o            (idle),
    .active_o          (),
    .stall_o           (),
    .error_valid_o     (),
    .error_response_o  (),
    .cmd_valid_i,
    .cmd_ready_o       (cmd_ready),
    .cmd_address_i,
    .cmd_beats_i,
    .cmd_last_strobes_i,
    .cmd_final_i,
    .done_o            (done),
    .data_valid_i,
    .data_ready_o      (data_ready),
    .data_i,
    .m_axi_awid        (),
    .m_axi_awaddr      (awaddr),
    .m_axi_awlen       (awlen),
    .m_axi_awsize      (awsize),
    .m_axi_awburst     (awburst),
    .m_axi_awvalid     (awvalid),
    .m_axi_awready     (awready_i),
    .m_axi_wdata       (wdata),
    .m_axi_wstrb       (wstrb),
    .m_axi_wlast       (wlast),
    .m_axi_wvalid      (wvalid),
    .m_axi_wready      (wready_i),
    .m_axi_bid         (1'b0),
    .m_axi_bresp       (2'b00),
    .m_axi_bvalid      (bvalid_i),
    .m_axi_bready      ()
  );

  // Commands lie in memory, at multiples of 8.
  logic [AddressWidth:0] command_end;
  assign command_end = {1'b0, cmd_address_i} + (AddressWidth + 1)'({cmd_beats_i, 3'd0});

  always_ff @(posedge clk_i) begin
    if (rst_n) begin
      assume (cmd_address_i[2:0] == 3'd0);
      assume (cmd_beats_i != '0);
      assume (command_end <= (AddressWidth + 1)'(1 << AddressWidth));
    end
  end

  logic requested, sent, accepted, taken;
  assign requested = awvalid && awready_i;
  assign sent      = wvalid && wready_i;
  assign accepted  = cmd_valid_i && cmd_ready;
  assign taken     = data_valid_i && data_ready;

  // Bursts whose address was taken, whose data were, and that were acknowledged.
  logic [3:0] addresses = '0, bursts = '0, acknowledged = '0;
  logic [3:0] beat = '0;

  always_ff @(posedge clk_i) begin
    rst_n <= 1'b1;
    if (rst_n) begin
      addresses    <= addresses + 4'(requested);
      bursts       <= bursts + 4'(sent && wlast);
      acknowledged <= acknowledged + 4'(bvalid_i);
      beat         <= !sent ? beat : wlast ? '0 : beat + 1'b1;
      assume (!bvalid_i || (acknowledged != addresses && acknowledged != bursts));
    end
  end

  // One burst, by number: the length of its address and that of its data.
  logic [3:0] chosen_burst = '0, length = '0, last_beat = '0;
  logic       has_address = 1'b0, has_data = 1'b0;

  // One beat of memory: how often commands asked to write it and bursts did not yet.
  logic [AddressWidth-1:3] chosen = '0;
  logic [2:0]              missing = '0;
  logic                    asked, found;

  assign asked = accepted && chosen >= cmd_address_i[AddressWidth-1:3]
      && {1'b0, chosen} < command_end[AddressWidth:3];
  assign found = requested && chosen >= awaddr[AddressWidth-1:3]
      && (AddressWidth - 2)'(chosen) <= (AddressWidth - 2)'(awaddr[AddressWidth-1:3]) + awlen;

  // One word of the data, by number.
  logic [5:0]  chosen_data = '0, words_in = '0, words_out = '0;
  logic [63:0] word = '0;

  // Beats and ends of commands that are still to come, and strobes of the last beat.
  logic [9:0] beats = '0;
  logic [3:0] finals = '0;
  logic       aborted, abort_seen = 1'b0;
  logic [1:0] strobed = '0;  // beats with strobes since an abort began

  assign aborted = abort_seen || abort_i;

  // The cycle before.
  logic                    abort_before = 1'b0, valid_before = 1'b0, address_held = 1'b0;
  logic                    data_held = 1'b0, last_before = 1'b0;
  logic [AddressWidth-1:0] address_before = '0;
  logic [7:0]              length_before = '0, strobes_before = '0;
  logic [63:0]             data_before = '0;

  always_ff @(posedge clk_i) begin
    if (!rst_n) begin
      chosen       <= chosen_i;
      chosen_burst <= chosen_burst_i;
      chosen_data  <= chosen_data_i;
    end else begin
      abort_seen <= aborted;
      strobed   <= !abort_i ? '0 : strobed + 2'(sent && wstrb != '0 && strobed != 2'd3);
      missing   <= missing + 3'(asked) - 3'(found);
      beats     <= beats + (accepted ? 10'(cmd_beats_i) : '0) - 10'(sent);
      finals    <= finals + 4'(accepted && cmd_final_i) - 4'(done);
      words_in  <= words_in + 6'(taken);
      words_out <= words_out + 6'(sent);
      if (taken && words_in == chosen_data) word <= data_i;
      if (requested && addresses == chosen_burst && !has_address) begin
        has_address <= 1'b1;
        length      <= awlen[3:0];
      end
      if (sent && wlast && bursts == chosen_burst && !has_data) begin
        has_data  <= 1'b1;
        last_beat <= beat;
      end
      abort_before   <= abort_i;
      valid_before   <= awvalid;
      address_held   <= awvalid && !awready_i;
      data_held      <= wvalid && !wready_i;
      address_before <= awaddr;
      length_before  <= awlen;
      data_before    <= wdata;
      strobes_before <= wstrb;
      last_before    <= wlast;
    end
  end

  always_ff @(posedge clk_i) begin
    if (rst_n) begin
      kind           : assert (awsize == 3'd3 && awburst == 2'b01 && awaddr[2:0] == 3'd0);
      short          : assert (!awvalid || awlen < 8'd16);
      page           : assert (!awvalid || {1'b0, awaddr[11:3]} + 10'(awlen) < 10'd512);
      address_stays  : assert (!address_held || awvalid);
      address_stable : assert (!address_held || (awaddr == address_before
          && awlen == length_before));
      data_stay      : assert (!data_held || wvalid);
      data_stable    : assert (!data_held || (wdata == data_before && wstrb == strobes_before
          && wlast == last_before));
      few            : assert (addresses - acknowledged <= 4'(Outstanding));
      // Data come with, or after, their burst's request: the two of the port included.
      no_early_data  : assert (!wvalid || bursts != addresses || awvalid);
      same_length    : assert (!(has_address && has_data) || length == last_beat);
      no_new_one     : assert (!(abort_before && !valid_before && awvalid));
      strobes_off    : assert (strobed <= 2'd2);
      rests          : assert (!idle || (addresses == acknowledged && bursts == acknowledged
          && !awvalid && !wvalid));
      // Without an abort every beat is requested once, with its data, in order.
      no_stranger    : assert (aborted || !found || missing != 0);
      none_missed    : assert (aborted || !idle || missing == 0);
      all_sent       : assert (aborted || !idle || beats == 0);
      in_order       : assert (aborted || !wvalid || (words_in != words_out
          && (words_out != chosen_data || wdata == word)));
      told           : assert (aborted || !done || finals != 0);
      all_told       : assert (aborted || !idle || finals == 0);
    end
  end

endmodule

`default_nettype wire
