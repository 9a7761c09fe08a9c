// Executes STORE: the output buffer to memory.
//
// One descriptor is read out and requested at a time; later ones follow while earlier ones wait for
// their acknowledgements. Latency: a word leaves the buffer two cycles after the start, then one in
// a cycle at the memory's pace. A descriptor is complete, and gives its semaphores, when memory has
// acknowledged every write (`done_i`, once for each descriptor, in order).

`default_nettype none

module store_unit #(
  parameter int unsigned QueueDepth  = 4,
  parameter int unsigned OutputWords = 2048,  // a power of two
  parameter int unsigned Words       = 32     // between buffer and memory, a power of two
) (
  input  wire logic                  clk_i,
  input  wire logic                  control_clk_i,  // of what changes once for each descriptor
  input  wire logic                  rst_ni,
  input  wire logic                  abort_i,
  input  wire specbp_pkg::window_t   window_i,

  input  wire logic                  valid_i,
  output logic                       ready_o,
  input  wire specbp_pkg::descriptor_t descriptor_i,
  input  wire logic [31:0]           index_i,

  output logic                       request_o,
  output specbp_pkg::numbers_t       waits_o,
  input  wire logic                  grant_i,
  output logic                       give_o,
  output specbp_pkg::numbers_t       signals_o,

  output logic                       idle_o,
  output logic                       busy_o,   // a descriptor has started and is not complete
  output logic                       active_o,  // something changes in this cycle
  output logic                       control_active_o,
  output logic [31:0]                index_o,  // of the oldest one, when not idle
  output logic [7:0]                 opcode_o,
  output specbp_pkg::fault_t         fault_o,

  output logic                       table_valid_o,  // the index table
  output specbp_pkg::entry_t         table_address_o,
  input  wire logic [15:0]           table_data_i,
  output logic                       read_valid_o,
  output logic [$clog2(OutputWords)-1:0] read_address_o,
  input  wire logic [63:0]           read_data_i,

  output logic                       write_valid_o,
  input  wire logic                  write_ready_i,
  output logic [31:0]                write_address_o,
  output logic [specbp_pkg::BeatsWidth-1:0] write_beats_o,
  output logic                       write_last_o,  // the descriptor's last
  output logic                       write_data_valid_o,
  input  wire logic                  write_data_ready_i,
  output logic [63:0]                write_data_o,
  input  wire logic                  done_i,
  input  wire logic                  error_valid_i,
  input  wire logic [1:0]            error_response_i
);
  import specbp_pkg::*;
  import specbp_codes_pkg::*;

  localparam int unsigned RoomWidth = $clog2(Words) + 1;

  move_t       store;
  logic [31:0] store_index;
  logic        queue_empty, queue_active, store_valid, store_done, start;
  logic        pending_ready, pending_valid, unused_ready;
  logic        unused_inner;
  tag_t        pending;

  descriptor_queue #(
    .Words(MoveWords),
    .Depth(QueueDepth)
  ) u_queue (
    .clk_i       (control_clk_i),
    .rst_ni,
    .abort_i,
    .valid_i,
    .ready_o,
    .descriptor_i,
    .index_i,
    .empty_o     (queue_empty),
    .active_o    (queue_active),
    .head_valid_o(store_valid),
    .head_done_i (store_done),
    .head_o      (store),
    .index_o     (store_index)
  );

  // Started, not yet acknowledged.
  stream_fifo #(
    .Width($bits(tag_t)),
    .Depth(4)
  ) u_pending (
    .clk_i      (control_clk_i),
    .rst_ni,
    .clear_i    (abort_i),
    .in_valid_i (start),
    .in_ready_o (pending_ready),
    .in_data_i  ({store_index, store.order.opcode, signals_of(store.order)}),
    .out_valid_o(pending_valid),
    .out_ready_i(done_i),
    .out_data_o (pending)
  );

  logic active_q, runs_active, runs_valid, runs_last, words_valid, words_last, run_taken, read;
  logic run_fits, indexed_fits, looking_up;
  logic [31:0] run_address;
  logic [PlaceWidth-1:0] place;
  logic [3:0][PlaceWidth-1:0] strides;

  assign request_o  = store_valid && !active_q && pending_ready;
  assign waits_o    = waits_of(store.order);
  assign start      = grant_i;
  // The later of the two walks ends the descriptor.
  assign store_done = active_q && (!runs_active || (run_taken && runs_last))
      && (!words_valid || (read && words_last));

  always_ff @(posedge control_clk_i) begin
    if (!rst_ni || abort_i) active_q <= 1'b0;
    else if (start) active_q <= 1'b1;
    else if (store_done) active_q <= 1'b0;
  end

  indexed_walk #(
    .Levels(3)
  ) u_runs (
    .clk_i,
    .rst_ni,
    .abort_i,
    .start_i        (start),
    .first_i        (store.address),
    .counts_i       (store.counts),
    .strides_i      (store.memory_strides),
    .indexed_i      (store.indexed),
    .table_base_i   (store.table_base),
    .table_valid_o,
    .table_address_o,
    .table_data_i,
    .active_o       (runs_active),
    .looking_up_o   (looking_up),
    .valid_o        (runs_valid),
    .address_o      (run_address),
    .fits_o         (indexed_fits),
    .last_o         (runs_last),
    .step_i         (run_taken)
  );

  assign run_fits        = indexed_fits
      && inside_window(run_address, {13'd0, store.run, 3'd0}, window_i);
  assign write_valid_o   = runs_valid && run_fits;
  assign write_address_o = run_address;
  assign write_beats_o   = BeatsWidth'(store.run);
  assign write_last_o    = runs_last;
  assign run_taken       = write_valid_o && write_ready_i;

  assign strides[0] = PlaceWidth'(1);
  for (genvar loop = 0; loop < 3; loop++) begin : g_strides
    assign strides[loop+1] = PlaceWidth'($signed(store.buffer_strides[loop]));
  end

  strided_walk #(
    .AddressWidth(PlaceWidth),
    .Levels      (4)
  ) u_words (
    .clk_i,
    .rst_ni,
    .abort_i,
    .start_i     (start),
    .first_i     (PlaceWidth'(store.base)),
    .counts_i    ({store.counts, store.run}),
    .strides_i   (strides),
    .valid_o     (words_valid),
    .address_o   (place),
    .last_o      (words_last),
    .inner_last_o(unused_inner),
    .step_i      (read)
  );

  // Read as far ahead as there is room.
  logic [RoomWidth-1:0] room_q;
  logic place_fits, arrived_q;

  assign place_fits     = place[PlaceWidth-1:$clog2(OutputWords)] == '0;
  assign read           = words_valid && place_fits && room_q != '0;
  assign read_valid_o   = read;
  assign read_address_o = place[$clog2(OutputWords)-1:0];

  always_ff @(posedge clk_i) begin
    if (!rst_ni || abort_i) begin
      room_q    <= RoomWidth'(Words);
      arrived_q <= 1'b0;
    end else begin
      room_q <= room_q - RoomWidth'(read) + RoomWidth'(write_data_valid_o && write_data_ready_i);
      arrived_q <= read;
    end
  end

  stream_fifo #(
    .Width(64),
    .Depth(Words)
  ) u_words_out (
    .clk_i,
    .rst_ni,
    .clear_i    (abort_i),
    .in_valid_i (arrived_q),
    .in_ready_o (unused_ready),  // there is room: see room_q
    .in_data_i  (read_data_i),
    .out_valid_o(write_data_valid_o),
    .out_ready_i(write_data_ready_i),
    .out_data_o (write_data_o)
  );

  always_ff @(posedge control_clk_i) begin
    if (done_i) signals_o <= pending.signals;
    if (!rst_ni || abort_i) give_o <= 1'b0;
    else give_o <= done_i && pending_valid;
  end

  // Faults; what waits for its acknowledgement is older.
  logic   write_bad, range_bad;
  fault_t fault_q;

  assign write_bad = error_valid_i && pending_valid;
  assign range_bad = (runs_valid && !run_fits) || (words_valid && !place_fits);

  always_ff @(posedge control_clk_i) begin
    if (!rst_ni || abort_i) begin
      fault_q <= '0;
    end else if (!fault_q.valid && (write_bad || range_bad)) begin
      fault_q <= '{
          valid: 1'b1,
          code: write_bad ? ErrorWrite : ErrorRange,
          response: write_bad ? error_response_i : ResponseOkay,
          index: write_bad ? pending.index : store_index,
          opcode: write_bad ? pending.opcode : store.order.opcode
      };
    end
  end
  assign fault_o = fault_q;

  assign busy_o   = active_q || pending_valid || give_o;
  assign active_o = start || looking_up || run_taken || read || arrived_q
      || (write_data_valid_o && write_data_ready_i);
  assign control_active_o = queue_active || done_i || write_bad || range_bad;
  assign idle_o   = queue_empty && !busy_o;
  assign index_o  = pending_valid ? pending.index : store_index;
  assign opcode_o = pending_valid ? pending.opcode : store.order.opcode;

  logic unused;
  assign unused = ^{unused_inner, unused_ready, store.row_stride, store.zero_9, store.zero_2,
                    store.destination};

endmodule

`default_nettype wire
