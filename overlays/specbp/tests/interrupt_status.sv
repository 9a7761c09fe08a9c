// The register block with nothing around it but what INTERRUPT_STATUS is about: for its test.

`default_nettype none

module interrupt_status (
  input  wire logic        clk_i,
  input  wire logic        rst_ni,
  input  wire logic [1:0]  event_i,   // done, error
  output logic [1:0]       status_o,

  input  wire logic [11:0] s_axil_awaddr,
  input  wire logic        s_axil_awvalid,
  output logic             s_axil_awready,
  input  wire logic [31:0] s_axil_wdata,
  input  wire logic [3:0]  s_axil_wstrb,
  input  wire logic        s_axil_wvalid,
  output logic             s_axil_wready,
  input  wire logic        s_axil_bready,
  output logic             s_axil_bvalid
);
  import specbp_regs_pkg::*;

  specbp__in_t  status;
  specbp__out_t control;
  logic [1:0]   unused_response;

  always_comb begin
    status = '{default: '0};
    status.INTERRUPT_STATUS.done.hwset  = event_i[0];
    status.INTERRUPT_STATUS.error.hwset = event_i[1];
  end
  assign status_o = {control.INTERRUPT_STATUS.error.value, control.INTERRUPT_STATUS.done.value};

  specbp_regs u_registers (
    .clk           (clk_i),
    .rst           (!rst_ni),
    .s_axil_awready,
    .s_axil_awvalid,
    .s_axil_awaddr,
    .s_axil_awprot ('0),
    .s_axil_wready,
    .s_axil_wvalid,
    .s_axil_wdata,
    .s_axil_wstrb,
    .s_axil_bready,
    .s_axil_bvalid,
    .s_axil_bresp  (unused_response),
    .s_axil_arready(),
    .s_axil_arvalid(1'b0),
    .s_axil_araddr ('0),
    .s_axil_arprot ('0),
    .s_axil_rready (1'b1),
    .s_axil_rvalid (),
    .s_axil_rdata  (),
    .s_axil_rresp  (),
    .hwif_in       (status),
    .hwif_out      (control)
  );

endmodule

`default_nettype wire
