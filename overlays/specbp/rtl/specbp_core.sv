// A core: runs a program from memory over one AXI4 port of its own, without the host.
//
// The sequencer hands descriptors to three units (load, compute, store), which work at the same time
// on five buffers; semaphores order them. Read clients share one engine in turn: 0 fetches
// descriptors, 1 is COPY, 2 loads. The write engine works for COPY or STORE: a COPY runs alone.
// Latency: see the sequencer and the units. It does not count cycles, and knows no registers: the
// top does.

`default_nettype none

module specbp_core #(
  parameter int unsigned Lanes             = 16,    // powers of two, all of them
  parameter int unsigned QueueDepth        = 4,
  parameter int unsigned ScalarWords       = 4096,
  parameter int unsigned VectorRows        = 1024,
  parameter int unsigned BiasRows          = 512,
  parameter int unsigned OutputWords       = 2048,
  parameter int unsigned PartialRows       = 2048,
  parameter int unsigned CopyWords         = 64,
  parameter int unsigned OutstandingReads  = 8,
  parameter int unsigned OutstandingWrites = 8
) (
  input  wire logic                clk_i,
  input  wire logic                rst_ni,

  input  wire logic                start_i,
  input  wire logic                reset_i,
  input  wire logic                stop_i,   // another core's error
  input  wire logic [31:0]         program_address_i,
  input  wire logic [31:0]         program_length_i,
  input  wire logic [15:0]         start_delay_i,
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
  output logic [specbp_pkg::Units-1:0] unit_busy_o,
  output logic                     multiplying_o,
  output logic                     steady_o,  // see specbp_overlay

  // Semaphores shared with the other core: those that units wait for, the one taken in this cycle,
  // those given in it.
  output logic [specbp_pkg::Units-1:0][3:0] shared_wanted_o,
  output logic [15:1]              shared_taken_o,
  output logic [specbp_pkg::Units-1:0][3:0] shared_given_o,
  input  wire logic [15:0]         shared_available_i,

  // The label table.
  output logic                     label_read_o,
  output logic [8:0]               label_o,
  input  wire logic                label_valid_i,
  output specbp_pkg::label_update_e label_update_o,

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

  localparam int unsigned ReadClients = 3;
  localparam int unsigned Groups      = Lanes / 4;

  logic abort, read_idle, write_idle, read_active, write_active;

  // Reads: descriptors (0), COPY (1) and loads (2) share the engine.
  logic [ReadClients-1:0]          read_valid, read_ready, data_valid, data_ready;
  read_command_t                   read_command [ReadClients];
  read_command_t                   engine_command;
  logic engine_valid, engine_ready, engine_data_valid, engine_data_ready, engine_data_last;
  logic [63:0] read_data;
  logic [1:0]  read_response;

  // The program.
  logic        fetch, exhausted, descriptor_valid, descriptor_ready;
  descriptor_t descriptor;
  logic [1:0]  descriptor_response;
  logic        copy_valid, copy_ready, copy_done;
  copy_t       copy;
  logic        read_error_valid, write_error_valid;
  logic [1:0]  read_error_response, write_error_response;

  // The index table.
  logic        load_table_valid, store_table_valid, skip_table_valid;
  entry_t      load_table_address, store_table_address, skip_table_address;
  logic [15:0] load_table_data, store_table_data;

  // The units.
  logic     [Units-1:0] unit_valid, unit_ready, unit_idle, request, grant, give;
  numbers_t [Units-1:0] waits, signals;
  logic     [31:0]      load_index, compute_index, store_index;
  logic     [7:0]       load_opcode, compute_opcode, store_opcode;
  fault_t               load_fault, compute_fault, store_fault;

  // What the write engine is asked.
  logic                  write_valid, copy_write_valid, store_write_valid;
  logic                  write_data_valid, copy_data_valid, store_data_valid, store_last;
  logic [31:0]           write_address, copy_address, store_address;
  logic [BeatsWidth-1:0] write_beats, copy_beats, store_beats;
  logic [7:0]            copy_last_strobes;
  logic [63:0]           write_data, copy_data, store_data;
  logic   write_ready, write_data_ready, write_done;

  // Clocks that stop in simulation while there is nothing to do; see clock_gate. Reset and abort
  // reach every register. Control is what happens once for each descriptor.
  logic             unsettled, sequencing, fetching, copying, load_active, store_active;
  logic             granting, late, late_changes;
  logic             control_clk, requesting_clk, reading_clk, writing_clk;
  logic             read_arbitrating, read_requesting, load_requesting, compute_steady;
  logic             front_active, back_active, element_active, sgd_active, loss_active;
  logic             front_clk, back_clk, element_clk, sgd_clk, loss_clk;
  logic [Units-1:0] control_active;

  assign unsettled = !rst_ni || abort;

  // Loops, lanes and what counts cycles start nothing else.
  assign steady_o = compute_steady && !late_changes;

  clock_gate u_control (
    .clk_i,
    .enable_i(unsettled || sequencing || fetching || late_changes || control_active != '0
              || granting || give != '0),
    .clk_o   (control_clk)
  );

  clock_gate u_requesting (
    .clk_i,
    .enable_i(unsettled || read_requesting || load_requesting || skip_table_valid),
    .clk_o   (requesting_clk)
  );

  clock_gate u_reading (
    .clk_i,
    .enable_i(unsettled || read_arbitrating || read_active || load_active),
    .clk_o   (reading_clk)
  );

  clock_gate u_front (
    .clk_i,
    .enable_i(unsettled || front_active),
    .clk_o   (front_clk)
  );

  clock_gate u_back (
    .clk_i,
    .enable_i(unsettled || back_active),
    .clk_o   (back_clk)
  );

  clock_gate u_element (
    .clk_i,
    .enable_i(unsettled || element_active),
    .clk_o   (element_clk)
  );

  clock_gate u_sgd (
    .clk_i,
    .enable_i(unsettled || sgd_active),
    .clk_o   (sgd_clk)
  );

  clock_gate u_loss (
    .clk_i,
    .enable_i(unsettled || loss_active),
    .clk_o   (loss_clk)
  );

  clock_gate u_writing (
    .clk_i,
    .enable_i(unsettled || copy_valid || copying || write_active || store_active),
    .clk_o   (writing_clk)
  );

  read_arbiter #(
    .Clients(ReadClients),
    .Depth  (2 * OutstandingReads)
  ) u_read_arbiter (
    .clk_i              (reading_clk),
    .rst_ni,
    .abort_i            (abort),
    .cmd_valid_i        (read_valid),
    .cmd_ready_o        (read_ready),
    .cmd_i              (read_command),
    .data_valid_o       (data_valid),
    .data_ready_i       (data_ready),
    .active_o           (read_arbitrating),
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
    .clk_i          (reading_clk),
    .request_clk_i  (requesting_clk),
    .rst_ni,
    .abort_i        (abort),
    .idle_o         (read_idle),
    .active_o       (read_active),
    .requesting_o   (read_requesting),
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

  descriptor_fetcher u_fetcher (
    .clk_i             (control_clk),
    .rst_ni,
    .abort_i           (abort),
    .start_i           (fetch),
    .address_i         (program_address_i),
    .length_i          (program_length_i),
    .exhausted_o       (exhausted),
    .active_o          (fetching),
    .cmd_valid_o       (read_valid[0]),
    .cmd_ready_i       (read_ready[0]),
    .cmd_o             (read_command[0]),
    .data_valid_i      (data_valid[0]),
    .data_ready_o      (data_ready[0]),
    .data_i            (read_data),
    .data_response_i   (read_response),
    .descriptor_valid_o(descriptor_valid),
    .descriptor_ready_i(descriptor_ready),
    .descriptor_o      (descriptor),
    .response_o        (descriptor_response)
  );

  sequencer #(
    .Groups(Groups)
  ) u_sequencer (
    .clk_i                 (control_clk),
    .rst_ni,
    .active_o              (sequencing),
    .start_i,
    .reset_i,
    .stop_i,
    .start_delay_i,
    .misaligned_i          (program_address_i[5:0] != '0),
    .late_i                (late),
    .window_i,
    .busy_o,
    .done_o,
    .error_o,
    .response_o,
    .opcode_o,
    .index_o,
    .started_o,
    .fetch_o               (fetch),
    .done_event_o,
    .error_event_o,
    .abort_o               (abort),
    .idle_i                (read_idle && write_idle),
    .exhausted_i           (exhausted),
    .descriptor_valid_i    (descriptor_valid),
    .descriptor_ready_o    (descriptor_ready),
    .descriptor_i          (descriptor),
    .descriptor_response_i (descriptor_response),
    .unit_valid_o          (unit_valid),
    .unit_ready_i          (unit_ready),
    .unit_idle_i           (unit_idle),
    .load_fault_i          (load_fault),
    .compute_fault_i       (compute_fault),
    .store_fault_i         (store_fault),
    .load_index_i          (load_index),
    .load_opcode_i         (load_opcode),
    .compute_index_i       (compute_index),
    .compute_opcode_i      (compute_opcode),
    .store_index_i         (store_index),
    .store_opcode_i        (store_opcode),
    .table_valid_o         (skip_table_valid),
    .table_address_o       (skip_table_address),
    .table_data_i          (load_table_data),
    .copy_valid_o          (copy_valid),
    .copy_ready_i          (copy_ready),
    .copy_o                (copy),
    .copy_done_i           (copy_done),
    .copying_o             (copying),
    .read_error_valid_i    (read_error_valid),
    .read_error_response_i (read_error_response),
    .write_error_valid_i   (write_error_valid),
    .write_error_response_i(write_error_response)
  );

  watchdog u_watchdog (
    .clk_i,
    .expired_clk_i(control_clk),
    .running_i    (busy_o),
    .restart_i    (started_o || descriptor_ready || give != '0),
    .limit_i      (watchdog_i),
    .expired_o    (late),
    .changes_o    (late_changes)
  );

  semaphores u_semaphores (
    .clk_i             (control_clk),
    .rst_ni,
    .clear_i           (started_o || abort),
    .request_i         (request),
    .waits_i           (waits),
    .grant_o           (grant),
    .active_o          (granting),
    .give_i            (give),
    .signals_i         (signals),
    .shared_wanted_o,
    .shared_taken_o,
    .shared_given_o,
    .shared_available_i
  );

  // Between units and buffers.
  logic                           load_write_valid, load_write_index;
  logic                           scalar_valid, vector_valid, bias_valid;
  logic                           partial_valid, sums_valid, result_valid, output_valid;
  logic [1:0]                     load_write_buffer;
  logic [PlaceWidth-1:0]          load_write_place;
  logic [63:0]                    load_write_data, scalar, result, output_word;
  logic [$clog2(ScalarWords)-1:0] scalar_address;
  logic [$clog2(VectorRows)-1:0]  vector_address;
  logic [63:0]                    vector [Groups];
  logic [$clog2(BiasRows)-1:0]    bias_address;
  logic [127:0]                   bias;
  logic [$clog2(PartialRows)-1:0] partial_address, sums_address;
  sums_t                          partial, sums;
  logic [$clog2(OutputWords)-1:0] result_address, output_address;

  load_unit #(
    .Groups     (Groups),
    .QueueDepth (QueueDepth),
    .ScalarWords(ScalarWords),
    .VectorRows (VectorRows),
    .BiasRows   (BiasRows)
  ) u_load (
    .clk_i          (reading_clk),
    .request_clk_i  (requesting_clk),
    .control_clk_i  (control_clk),
    .rst_ni,
    .abort_i        (abort),
    .window_i,
    .valid_i        (unit_valid[UnitLoad]),
    .ready_o        (unit_ready[UnitLoad]),
    .descriptor_i   (descriptor),
    .index_i        (index_o),
    .request_o      (request[UnitLoad]),
    .waits_o        (waits[UnitLoad]),
    .grant_i        (grant[UnitLoad]),
    .give_o         (give[UnitLoad]),
    .signals_o      (signals[UnitLoad]),
    .idle_o         (unit_idle[UnitLoad]),
    .busy_o         (unit_busy_o[UnitLoad]),
    .active_o       (load_active),
    .requesting_o   (load_requesting),
    .control_active_o(control_active[UnitLoad]),
    .index_o        (load_index),
    .opcode_o       (load_opcode),
    .fault_o        (load_fault),
    .read_valid_o   (read_valid[2]),
    .read_ready_i   (read_ready[2]),
    .read_o         (read_command[2]),
    .data_valid_i   (data_valid[2]),
    .data_ready_o   (data_ready[2]),
    .data_i         (read_data),
    .data_response_i(read_response),
    .table_valid_o  (load_table_valid),
    .table_address_o(load_table_address),
    .table_data_i   (load_table_data),
    .write_valid_o  (load_write_valid),
    .write_index_o  (load_write_index),
    .write_buffer_o (load_write_buffer),
    .write_place_o  (load_write_place),
    .write_data_o   (load_write_data)
  );

  compute_unit #(
    .Lanes      (Lanes),
    .QueueDepth (QueueDepth),
    .ScalarWords(ScalarWords),
    .VectorRows (VectorRows),
    .BiasRows   (BiasRows),
    .OutputWords(OutputWords),
    .PartialRows(PartialRows)
  ) u_compute (
    .control_clk_i    (control_clk),
    .front_clk_i      (front_clk),
    .back_clk_i       (back_clk),
    .element_clk_i    (element_clk),
    .sgd_clk_i        (sgd_clk),
    .loss_clk_i       (loss_clk),
    .rst_ni,
    .abort_i          (abort),
    .valid_i          (unit_valid[UnitCompute]),
    .ready_o          (unit_ready[UnitCompute]),
    .descriptor_i     (descriptor),
    .index_i          (index_o),
    .request_o        (request[UnitCompute]),
    .waits_o          (waits[UnitCompute]),
    .grant_i          (grant[UnitCompute]),
    .give_o           (give[UnitCompute]),
    .signals_o        (signals[UnitCompute]),
    .idle_o           (unit_idle[UnitCompute]),
    .busy_o           (unit_busy_o[UnitCompute]),
    .control_active_o (control_active[UnitCompute]),
    .front_active_o   (front_active),
    .back_active_o    (back_active),
    .element_active_o (element_active),
    .sgd_active_o     (sgd_active),
    .loss_active_o    (loss_active),
    .multiplying_o,
    .steady_o         (compute_steady),
    .index_o          (compute_index),
    .opcode_o         (compute_opcode),
    .fault_o          (compute_fault),
    .label_read_o,
    .label_o,
    .label_valid_i,
    .label_update_o,
    .scalar_valid_o   (scalar_valid),
    .scalar_address_o (scalar_address),
    .scalar_i         (scalar),
    .vector_valid_o   (vector_valid),
    .vector_address_o (vector_address),
    .vector_i         (vector),
    .bias_valid_o     (bias_valid),
    .bias_address_o   (bias_address),
    .bias_i           (bias),
    .partial_valid_o  (partial_valid),
    .partial_address_o(partial_address),
    .partial_i        (partial),
    .sums_valid_o     (sums_valid),
    .sums_address_o   (sums_address),
    .sums_o           (sums),
    .output_valid_o   (result_valid),
    .output_address_o (result_address),
    .output_o         (result)
  );

  buffers #(
    .Lanes      (Lanes),
    .ScalarWords(ScalarWords),
    .VectorRows (VectorRows),
    .BiasRows   (BiasRows),
    .OutputWords(OutputWords),
    .PartialRows(PartialRows)
  ) u_buffers (
    .load_clk_i       (reading_clk),
    .front_clk_i      (front_clk),
    .back_clk_i       (back_clk),
    .store_clk_i      (writing_clk),
    .load_valid_i     (load_write_valid && !load_write_index),
    .load_buffer_i    (load_write_buffer),
    .load_place_i     (load_write_place),
    .load_data_i      (load_write_data),
    .scalar_valid_i   (scalar_valid),
    .scalar_address_i (scalar_address),
    .scalar_o         (scalar),
    .vector_valid_i   (vector_valid),
    .vector_address_i (vector_address),
    .vector_o         (vector),
    .bias_valid_i     (bias_valid),
    .bias_address_i   (bias_address),
    .bias_o           (bias),
    .partial_valid_i  (partial_valid),
    .partial_address_i(partial_address),
    .partial_o        (partial),
    .sums_valid_i     (sums_valid),
    .sums_address_i   (sums_address),
    .sums_i           (sums),
    .result_valid_i   (result_valid),
    .result_address_i (result_address),
    .result_i         (result),
    .output_valid_i   (output_valid),
    .output_address_i (output_address),
    .output_o         (output_word)
  );

  // The index table, once for load and SKIP, which waits until load is idle, and once for store.
  logic [15:0] index_entry;

  assign index_entry = load_write_data[16*load_write_buffer+:16];

  buffer_ram #(
    .Width(16),
    .Depth(TableEntries)
  ) u_load_table (
    .write_clk_i    (reading_clk),
    .write_valid_i  (load_write_valid && load_write_index),
    .write_address_i(load_write_place[$clog2(TableEntries)-1:0]),
    .write_data_i   (index_entry),
    .read_clk_i     (requesting_clk),
    .read_valid_i   (load_table_valid || skip_table_valid),
    .read_address_i (skip_table_valid ? skip_table_address : load_table_address),
    .read_data_o    (load_table_data)
  );

  buffer_ram #(
    .Width(16),
    .Depth(TableEntries)
  ) u_store_table (
    .write_clk_i    (reading_clk),
    .write_valid_i  (load_write_valid && load_write_index),
    .write_address_i(load_write_place[$clog2(TableEntries)-1:0]),
    .write_data_i   (index_entry),
    .read_clk_i     (writing_clk),
    .read_valid_i   (store_table_valid),
    .read_address_i (store_table_address),
    .read_data_o    (store_table_data)
  );

  // The write engine works for COPY while one runs, else for STORE.
  assign write_valid      = copying ? copy_write_valid : store_write_valid;
  assign write_address    = copying ? copy_address : store_address;
  assign write_beats      = copying ? copy_beats : store_beats;
  assign write_data_valid = copying ? copy_data_valid : store_data_valid;
  assign write_data       = copying ? copy_data : store_data;

  store_unit #(
    .QueueDepth (QueueDepth),
    .OutputWords(OutputWords)
  ) u_store (
    .clk_i             (writing_clk),
    .control_clk_i     (control_clk),
    .rst_ni,
    .abort_i           (abort),
    .window_i,
    .valid_i           (unit_valid[UnitStore]),
    .ready_o           (unit_ready[UnitStore]),
    .descriptor_i      (descriptor),
    .index_i           (index_o),
    .request_o         (request[UnitStore]),
    .waits_o           (waits[UnitStore]),
    .grant_i           (grant[UnitStore]),
    .give_o            (give[UnitStore]),
    .signals_o         (signals[UnitStore]),
    .idle_o            (unit_idle[UnitStore]),
    .busy_o            (unit_busy_o[UnitStore]),
    .active_o          (store_active),
    .control_active_o  (control_active[UnitStore]),
    .index_o           (store_index),
    .opcode_o          (store_opcode),
    .fault_o           (store_fault),
    .table_valid_o     (store_table_valid),
    .table_address_o   (store_table_address),
    .table_data_i      (store_table_data),
    .read_valid_o      (output_valid),
    .read_address_o    (output_address),
    .read_data_i       (output_word),
    .write_valid_o     (store_write_valid),
    .write_ready_i     (write_ready && !copying),
    .write_address_o   (store_address),
    .write_beats_o     (store_beats),
    .write_last_o      (store_last),
    .write_data_valid_o(store_data_valid),
    .write_data_ready_i(write_data_ready && !copying),
    .write_data_o      (store_data),
    .done_i            (write_done),
    .error_valid_i     (write_error_valid),
    .error_response_i  (write_error_response)
  );

  copy_unit #(
    .Words(CopyWords)
  ) u_copy (
    .clk_i              (writing_clk),
    .rst_ni,
    .abort_i             (abort),
    .valid_i             (copy_valid),
    .ready_o             (copy_ready),
    .copy_i              (copy),
    .done_o              (copy_done),
    .error_valid_o       (read_error_valid),
    .error_response_o    (read_error_response),
    .read_valid_o        (read_valid[1]),
    .read_ready_i        (read_ready[1]),
    .read_o              (read_command[1]),
    .read_data_valid_i   (data_valid[1]),
    .read_data_ready_o   (data_ready[1]),
    .read_data_i         (read_data),
    .read_response_i     (read_response),
    .write_valid_o       (copy_write_valid),
    .write_ready_i       (write_ready && copying),
    .write_address_o     (copy_address),
    .write_beats_o       (copy_beats),
    .write_last_strobes_o(copy_last_strobes),
    .write_data_valid_o  (copy_data_valid),
    .write_data_ready_i  (write_data_ready && copying),
    .write_data_o        (copy_data),
    .write_idle_i        (write_idle)
  );

  axi_write_engine #(
    .CountWidth (BeatsWidth),
    .Outstanding(OutstandingWrites)
  ) u_write_engine (
    .clk_i              (writing_clk),
    .rst_ni,
    .abort_i           (abort),
    .idle_o            (write_idle),
    .active_o          (write_active),
    .stall_o           (write_stall_o),
    .error_valid_o     (write_error_valid),
    .error_response_o  (write_error_response),
    .cmd_valid_i       (write_valid),
    .cmd_ready_o       (write_ready),
    .cmd_address_i     (write_address),
    .cmd_beats_i       (write_beats),
    .cmd_last_strobes_i(copying ? copy_last_strobes : 8'hFF),
    .cmd_final_i       (!copying && store_last),
    .done_o            (write_done),
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

  // What is offered stays until it is taken.
  for (genvar client = 0; client < ReadClients; client++) begin : g_check_reads
    handshake_checker #(
      .Width($bits(read_command_t))
    ) u_check (
      .clk_i,
      .rst_ni,
      .abort_i(abort),
      .valid_i(read_valid[client]),
      .ready_i(read_ready[client]),
      .data_i (read_command[client])
    );
  end

  for (genvar unit = 0; unit < Units; unit++) begin : g_check_units
    handshake_checker #(
      .Width(DescriptorBeats * 64)
    ) u_check (
      .clk_i,
      .rst_ni,
      .abort_i(abort),
      .valid_i(unit_valid[unit]),
      .ready_i(unit_ready[unit]),
      .data_i (descriptor)
    );
  end

  handshake_checker #(
    .Width(32 + BeatsWidth)
  ) u_check_write (
    .clk_i,
    .rst_ni,
    .abort_i(abort),
    .valid_i(write_valid),
    .ready_i(write_ready),
    .data_i ({write_address, write_beats})
  );

  handshake_checker #(
    .Width(64)
  ) u_check_write_data (
    .clk_i,
    .rst_ni,
    .abort_i(abort),
    .valid_i(write_data_valid),
    .ready_i(write_data_ready),
    .data_i (write_data)
  );

  handshake_checker #(
    .Width(67)
  ) u_check_read_data (
    .clk_i,
    .rst_ni,
    .abort_i(abort),
    .valid_i(engine_data_valid),
    .ready_i(engine_data_ready),
    .data_i ({engine_data_last, read_response, read_data})
  );

endmodule

`default_nettype wire
