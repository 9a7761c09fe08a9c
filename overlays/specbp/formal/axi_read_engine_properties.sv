// What the read engine promises on its port and to its client, whatever both do, aborts included.
//
// The memory answers bursts in order and marks their last beats; that is all that is assumed of it.

`default_nettype none

module axi_read_engine_properties #(
  parameter int unsigned AddressWidth = 14,  // four pages of 4 KB
  parameter int unsigned CountWidth   = 6,
  parameter int unsigned Outstanding  = 2
) (
  input wire logic                    clk_i,
  input wire logic                    abort_i,
  input wire logic                    cmd_valid_i,
  input wire logic [AddressWidth-1:0] cmd_address_i,
  input wire logic [CountWidth-1:0]   cmd_beats_i,
  input wire logic                    data_ready_i,
  input wire logic                    arready_i,
  input wire logic                    rvalid_i,
  input wire logic                    rlast_i,
  input wire logic [AddressWidth-1:3] chosen_i  // the beat in memory that is followed
);

  logic                    rst_n = 1'b0;
  logic                    idle, cmd_ready, data_valid, data_last, arvalid, rready;
  logic [AddressWidth-1:0] araddr;
  logic [7:0]              arlen;
  logic [2:0]              arsize;
  logic [1:0]              arburst;

  axi_read_engine #(
    .AddressWidth(AddressWidth),
    .CountWidth  (CountWidth),
    .Outstanding (Outstanding)
  ) dut (
    .clk_i,
    .request_clk_i  (clk_i),
    .rst_ni         (rst_n),
    .abort_i,
    .idle_o         (idle),
    .active_o       (),
    .requesting_o   (),
    .stall_o        (),
    .cmd_valid_i,
    .cmd_ready_o    (cmd_ready),
    .cmd_address_i,
    .cmd_beats_i,
    .data_valid_o   (data_valid),
    .data_ready_i,
    .data_o         (),
    .data_response_o(),
    .data_last_o    (data_last),
    .m_axi_arid     (),
    .m_axi_araddr   (araddr),
    .m_axi_arlen    (arlen),
    .m_axi_arsize   (arsize),
    .m_axi_arburst  (arburst),
    .m_axi_arvalid  (arvalid),
    .m_axi_arready  (arready_i),
    .m_axi_rid      (1'b0),
    .m_axi_rdata    (64'd0),
    .m_axi_rresp    (2'b00),
    .m_axi_rlast    (rlast_i),
    .m_axi_rvalid   (rvalid_i),
    .m_axi_rready   (rready)
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

  // Bursts that the memory has to answer: their lengths, the oldest first.
  logic [2:0] owed = '0;
  logic [3:0] lengths [4];
  logic [3:0] beat = '0;
  logic       requested, received, ended;

  assign requested = arvalid && arready_i;
  assign received  = rvalid_i && rready;
  assign ended     = received && rlast_i;

  always_ff @(posedge clk_i) begin
    rst_n <= 1'b1;
    if (rst_n) begin
      owed <= owed + 3'(requested) - 3'(ended);
      beat <= !received ? beat : rlast_i ? '0 : beat + 1'b1;
      if (ended) lengths[0:2] <= lengths[1:3];
      if (requested) lengths[2'(owed - 3'(ended))] <= arlen[3:0];
      assume (!rvalid_i || owed != 0);
      assume (!rvalid_i || rlast_i == (beat == lengths[0]));
    end
  end

  // One beat of memory: how often commands asked for it and bursts did not yet.
  logic [AddressWidth-1:3] chosen = '0;
  logic [2:0]              missing = '0;
  logic                    aborted, abort_seen = 1'b0, asked, found;

  assign aborted = abort_seen || abort_i;
  assign asked = cmd_valid_i && cmd_ready && chosen >= cmd_address_i[AddressWidth-1:3]
      && {1'b0, chosen} < command_end[AddressWidth:3];
  assign found = requested && chosen >= araddr[AddressWidth-1:3]
      && (AddressWidth - 2)'(chosen) <= (AddressWidth - 2)'(araddr[AddressWidth-1:3]) + arlen;

  // Beats and commands that the client was promised and has not been given.
  logic [9:0] beats = '0, commands = '0;
  logic       taken;
  assign taken = data_valid && data_ready_i;

  // The cycle before.
  logic                    begun = 1'b0, abort_before = 1'b0, held_before = 1'b0;
  logic                    valid_before = 1'b0;
  logic [AddressWidth-1:0] address_before = '0;
  logic [7:0]              length_before = '0;

  always_ff @(posedge clk_i) begin
    if (!rst_n) begin
      chosen <= chosen_i;
    end else begin
      abort_seen     <= aborted;
      missing        <= missing + 3'(asked) - 3'(found);
      beats          <= beats + (cmd_valid_i && cmd_ready ? 10'(cmd_beats_i) : '0) - 10'(taken);
      commands       <= commands + 10'(cmd_valid_i && cmd_ready) - 10'(taken && data_last);
      begun          <= 1'b1;
      abort_before   <= abort_i;
      valid_before   <= arvalid;
      held_before    <= arvalid && !arready_i;
      address_before <= araddr;
      length_before  <= arlen;
    end
  end

  always_ff @(posedge clk_i) begin
    if (rst_n) begin
      kind        : assert (arsize == 3'd3 && arburst == 2'b01 && araddr[2:0] == 3'd0);
      short       : assert (!arvalid || arlen < 8'd16);
      page        : assert (!arvalid || {1'b0, araddr[11:3]} + 10'(arlen) < 10'd512);
      stays       : assert (!held_before || arvalid);
      stable      : assert (!held_before || (araddr == address_before && arlen == length_before));
      few         : assert (owed <= 3'(Outstanding));
      taken_back  : assert (!abort_before || !data_valid);
      no_new_one  : assert (!(begun && abort_before && !valid_before && arvalid));
      rests       : assert (!idle || (owed == 0 && !arvalid));
      // Without an abort every beat is requested once, and given once.
      no_stranger : assert (aborted || !found || missing != 0);
      none_missed : assert (aborted || !idle || missing == 0);
      all_given   : assert (aborted || !idle || data_valid || (beats == 0 && commands == 0));
      last_marked : assert (aborted || !taken || !data_last || commands != 0);
    end
  end

endmodule

`default_nettype wire
