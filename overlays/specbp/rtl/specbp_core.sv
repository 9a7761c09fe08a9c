// A core: runs a program from memory over one AXI4 port of its own, without the host.
//
// Read clients share one engine in turn: 0 fetches descriptors, 1 is COPY. The write engine has
// one client. A compute unit is another client of both, and another opcode of the sequencer.
// Latency: see the sequencer. It does not count cycles, and knows no registers: the top does.

`default_nettype none

module specbp_core #(
  parameter int unsigned CopyWords         = 64,  // powers of two, all three
  parameter int unsigned OutstandingReads  = 8,
  parameter int unsigned OutstandingWrites = 8
) (
  input  wire logic                clk_i,
  input  wire logic                rst_ni,

  input  wire logic                start_i,
  input  wire logic                reset_i,
  input  wire logic [31:0]         program_address_i,
  input  wire logic [31:0]         program_length_i,
  input  wire logic [31:0]         watchdog_i,
  input  wire specbp_pkg::window_t window_i,

  output logic                     busy_o,
  output logic                     done_o,
  output logic [3:0]               error_o,
  output logic [1:0]               response_o,
  output logic [7:0]               opcode_o,
  output logic [31:0]              index_o,
  output logic                     started_o,
  output logic                     done_event_o,
  output logic                     error_event_o,
  output logic                     read_stall_o,
  output logic                     write_stall_o,

  output logic [0:0]               m_axi_arid,
  output logic [31:0]              m_axi_araddr,
  output logic [7:0]               m_axi_arlen,
  output logic [2:0]               m_axi_arsize,
  output logic [1:0]               m_axi_arburst,
  output logic                     m_axi_arvalid,
  input  wire logic                m_axi_arready,
  input  wire logic [0:0]          m_axi_rid,
  input  wire logic [63:0]         m_axi_rdata,
  input  wire logic [1:0]          m_axi_rresp,
  input  wire logic                m_axi_rlast,
  input  wire logic                m_axi_rvalid,
  output logic                     m_axi_rready,
  output logic [0:0]               m_axi_awid,
  output logic [31:0]              m_axi_awaddr,
  output logic [7:0]               m_axi_awlen,
  output logic [2:0]               m_axi_awsize,
  output logic [1:0]               m_axi_awburst,
  output logic                     m_axi_awvalid,
  input  wire logic                m_axi_awready,
  output logic [63:0]              m_axi_wdata,
  output logic [7:0]               m_axi_wstrb,
  output logic                     m_axi_wlast,
  output logic                     m_axi_wvalid,
  input  wire logic                m_axi_wready,
  input  wire logic [0:0]          m_axi_bid,
  input  wire logic [1:0]          m_axi_bresp,
  input  wire logic                m_axi_bvalid,
  output logic                     m_axi_bready
);
  import specbp_pkg::*;

  localparam int unsigned ReadClients = 2;

  logic abort, read_idle, write_idle;

  // Reads: descriptors (0) and COPY (1) share the engine.
  logic [ReadClients-1:0]          read_valid, read_ready, data_valid, data_ready;
  read_command_t [ReadClients-1:0] read_command;
  read_command_t                   engine_command;
  logic engine_valid, engine_ready, engine_data_valid, engine_data_ready, engine_data_last;
  logic [63:0] read_data;
  logic [1:0]  read_response;

  read_arbiter #(
    .Clients(ReadClients)
  ) u_read_arbiter (
    .clk_i,
    .rst_ni,
    .abort_i            (abort),
    .cmd_valid_i        (read_valid),
    .cmd_ready_o        (read_ready),
    .cmd_i              (read_command),
    .data_valid_o       (data_valid),
    .data_ready_i       (data_ready),
    .engine_cmd_valid_o (engine_valid),
    .engine_cmd_ready_i (engine_ready),
    .engine_cmd_o       (engine_command),
    .engine_data_valid_i(engine_data_valid),
    .engine_data_ready_o(engine_data_ready),
    .engine_data_last_i (engine_data_last)
  );

  axi_read_engine #(
    .CountWidth (BeatsWidth),
    .Outstanding(OutstandingReads)
  ) u_read_engine (
    .clk_i,
    .rst_ni,
    .abort_i        (abort),
    .idle_o         (read_idle),
    .stall_o        (read_stall_o),
    .cmd_valid_i    (engine_valid),
    .cmd_ready_o    (engine_ready),
    .cmd_address_i  (engine_command.address),
    .cmd_beats_i    (engine_command.beats),
    .data_valid_o   (engine_data_valid),
    .data_ready_i   (engine_data_ready),
    .data_o         (read_data),
    .data_response_o(read_response),
    .data_last_o    (engine_data_last),
    .m_axi_arid,
    .m_axi_araddr,
    .m_axi_arlen,
    .m_axi_arsize,
    .m_axi_arburst,
    .m_axi_arvalid,
    .m_axi_arready,
    .m_axi_rid,
    .m_axi_rdata,
    .m_axi_rresp,
    .m_axi_rlast,
    .m_axi_rvalid,
    .m_axi_rready
  );

  // The program.
  logic        exhausted, descriptor_valid, descriptor_ready;
  descriptor_t descriptor;
  logic [1:0]  descriptor_response;
  logic        copy_valid, copy_ready, copy_done;
  copy_t       copy;
  logic        read_error_valid, write_error_valid;
  logic [1:0]  read_error_response, write_error_response;

  descriptor_fetcher u_fetcher (
    .clk_i,
    .rst_ni,
    .abort_i           (abort),
    .start_i           (started_o),
    .address_i         (program_address_i),
    .length_i          (program_length_i),
    .exhausted_o       (exhausted),
    .cmd_valid_o       (read_valid[0]),
    .cmd_ready_i       (read_ready[0]),
    .cmd_o             (read_command[0]),
    .data_valid_i      (data_valid[0]),
    .data_ready_o      (data_ready[0]),
    .data_i            (read_data),
    .data_response_i   (read_response),
    .data_last_i       (engine_data_last),
    .descriptor_valid_o(descriptor_valid),
    .descriptor_ready_i(descriptor_ready),
    .descriptor_o      (descriptor),
    .response_o        (descriptor_response)
  );

  sequencer u_sequencer (
    .clk_i,
    .rst_ni,
    .start_i,
    .reset_i,
    .misaligned_i          (program_address_i[5:0] != '0),
    .watchdog_i,
    .window_i,
    .busy_o,
    .done_o,
    .error_o,
    .response_o,
    .opcode_o,
    .index_o,
    .started_o,
    .done_event_o,
    .error_event_o,
    .abort_o               (abort),
    .idle_i                (read_idle && write_idle),
    .exhausted_i           (exhausted),
    .descriptor_valid_i    (descriptor_valid),
    .descriptor_ready_o    (descriptor_ready),
    .descriptor_i          (descriptor),
    .descriptor_response_i (descriptor_response),
    .copy_valid_o          (copy_valid),
    .copy_ready_i          (copy_ready),
    .copy_o                (copy),
    .copy_done_i           (copy_done),
    .read_error_valid_i    (read_error_valid),
    .read_error_response_i (read_error_response),
    .write_error_valid_i   (write_error_valid),
    .write_error_response_i(write_error_response)
  );

  // COPY and the write engine, which it has for itself.
  logic                  write_valid, write_ready, write_data_valid, write_data_ready;
  logic [31:0]           write_address;
  logic [BeatsWidth-1:0] write_beats;
  logic [7:0]            write_last_strobes;
  logic [63:0]           write_data;

  copy_unit #(
    .Words(CopyWords)
  ) u_copy (
    .clk_i,
    .rst_ni,
    .abort_i            (abort),
    .valid_i            (copy_valid),
    .ready_o            (copy_ready),
    .copy_i             (copy),
    .done_o             (copy_done),
    .error_valid_o      (read_error_valid),
    .error_response_o   (read_error_response),
    .read_valid_o       (read_valid[1]),
    .read_ready_i       (read_ready[1]),
    .read_o             (read_command[1]),
    .read_data_valid_i  (data_valid[1]),
    .read_data_ready_o  (data_ready[1]),
    .read_data_i        (read_data),
    .read_response_i    (read_response),
    .write_valid_o      (write_valid),
    .write_ready_i      (write_ready),
    .write_address_o    (write_address),
    .write_beats_o      (write_beats),
    .write_last_strobes_o(write_last_strobes),
    .write_data_valid_o (write_data_valid),
    .write_data_ready_i (write_data_ready),
    .write_data_o       (write_data),
    .write_idle_i       (write_idle)
  );

  axi_write_engine #(
    .CountWidth (BeatsWidth),
    .Outstanding(OutstandingWrites)
  ) u_write_engine (
    .clk_i,
    .rst_ni,
    .abort_i           (abort),
    .idle_o            (write_idle),
    .stall_o           (write_stall_o),
    .error_valid_o     (write_error_valid),
    .error_response_o  (write_error_response),
    .cmd_valid_i       (write_valid),
    .cmd_ready_o       (write_ready),
    .cmd_address_i     (write_address),
    .cmd_beats_i       (write_beats),
    .cmd_last_strobes_i(write_last_strobes),
    .data_valid_i      (write_data_valid),
    .data_ready_o      (write_data_ready),
    .data_i            (write_data),
    .m_axi_awid,
    .m_axi_awaddr,
    .m_axi_awlen,
    .m_axi_awsize,
    .m_axi_awburst,
    .m_axi_awvalid,
    .m_axi_awready,
    .m_axi_wdata,
    .m_axi_wstrb,
    .m_axi_wlast,
    .m_axi_wvalid,
    .m_axi_wready,
    .m_axi_bid,
    .m_axi_bresp,
    .m_axi_bvalid,
    .m_axi_bready
  );

endmodule

`default_nettype wire
