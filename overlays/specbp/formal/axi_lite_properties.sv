// What the registers promise on their bus, whatever its master and the overlay behind them do.
//
// A master keeps what it offers until it is taken; that is all that is assumed of it.

`default_nettype none

module axi_lite_properties (
  input wire logic                         clk_i,
  input wire specbp_regs_pkg::specbp__in_t status_i,
  input wire logic                         awvalid_i,
  input wire logic [11:0]                  awaddr_i,
  input wire logic                         wvalid_i,
  input wire logic [31:0]                  wdata_i,
  input wire logic [3:0]                   wstrb_i,
  input wire logic                         bready_i,
  input wire logic                         arvalid_i,
  input wire logic [11:0]                  araddr_i,
  input wire logic                         rready_i
);

  logic                          rst_n = 1'b0;
  logic                          awready, wready, bvalid, arready, rvalid;
  logic [1:0]                    bresp, rresp;
  logic [31:0]                   rdata;
  specbp_regs_pkg::specbp__out_t unused_control;

  specbp_regs dut (
    .clk           (clk_i),
    .rst           (!rst_n),
    .s_axil_awready(awready),
    .s_axil_awvalid(awvalid_i),
    .s_axil_awaddr (awaddr_i),
    .s_axil_awprot (3'd0),
    .s_axil_wready (wready),
    .s_axil_wvalid (wvalid_i),
    .s_axil_wdata  (wdata_i),
    .s_axil_wstrb  (wstrb_i),
    .s_axil_bready (bready_i),
    .s_axil_bvalid (bvalid),
    .s_axil_bresp  (bresp),
    .s_axil_arready(arready),
    .s_axil_arvalid(arvalid_i),
    .s_axil_araddr (araddr_i),
    .s_axil_arprot (3'd0),
    .s_axil_rready (rready_i),
    .s_axil_rvalid (rvalid),
    .s_axil_rdata  (rdata),
    .s_axil_rresp  (rresp),
    .hwif_in       (status_i),
    .hwif_out      (unused_control)
  );

  // The cycle before: what was offered and not taken.
  logic        aw_held = 1'b0, w_held = 1'b0, ar_held = 1'b0, b_held = 1'b0, r_held = 1'b0;
  logic [11:0] awaddr_before = '0, araddr_before = '0;
  logic [35:0] w_before = '0;
  logic [1:0]  bresp_before = '0, rresp_before = '0;
  logic [31:0] rdata_before = '0;

  // What was asked and is not answered.
  logic [2:0] addresses = '0, data = '0, reads = '0;

  always_ff @(posedge clk_i) begin
    rst_n <= 1'b1;
    if (rst_n) begin
      aw_held       <= awvalid_i && !awready;
      w_held        <= wvalid_i && !wready;
      ar_held       <= arvalid_i && !arready;
      b_held        <= bvalid && !bready_i;
      r_held        <= rvalid && !rready_i;
      awaddr_before <= awaddr_i;
      araddr_before <= araddr_i;
      w_before      <= {wdata_i, wstrb_i};
      bresp_before  <= bresp;
      rresp_before  <= rresp;
      rdata_before  <= rdata;
      addresses     <= addresses + 3'(awvalid_i && awready) - 3'(bvalid && bready_i);
      data          <= data + 3'(wvalid_i && wready) - 3'(bvalid && bready_i);
      reads         <= reads + 3'(arvalid_i && arready) - 3'(rvalid && rready_i);
      assume (!aw_held || (awvalid_i && awaddr_i == awaddr_before));
      assume (!w_held || (wvalid_i && {wdata_i, wstrb_i} == w_before));
      assume (!ar_held || (arvalid_i && araddr_i == araddr_before));
    end
  end

  always_ff @(posedge clk_i) begin
    if (rst_n) begin
      written_stays : assert (!b_held || (bvalid && bresp == bresp_before));
      read_stays    : assert (!r_held || (rvalid && rresp == rresp_before
          && rdata == rdata_before));
      // An answer is that of a request.
      written_asked : assert (!bvalid || (addresses != 0 && data != 0));
      read_asked    : assert (!rvalid || reads != 0);
      bounded       : assert (addresses <= 3'd4 && data <= 3'd4 && reads <= 3'd4);
    end
  end

endmodule

`default_nettype wire
