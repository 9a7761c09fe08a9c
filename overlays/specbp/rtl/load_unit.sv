// Executes LOAD, FILL and LOAD_TRANSPOSED: memory to the scalar, vector or bias buffer; and
// LOAD_INDEX: memory to the index table.
//
// Two halves work one after another on each descriptor, so that the requests of one run ahead of
// the data of the one before: the first requests runs, cut into bursts; the second writes words,
// one in a cycle. A run is looked at a cycle before it is requested. LOAD and FILL write at the
// memory's pace. LOAD_TRANSPOSED collects four runs in
// one half of a staging memory while it writes the other half; two such descriptors do not
// overlap. A descriptor is complete with the write of its last word (`give_o`).
// It does not check fields; the decoder does. Addresses are checked as they come up.

`default_nettype none

module load_unit #(
  parameter int unsigned Groups      = 4,
  parameter int unsigned QueueDepth  = 4,
  parameter int unsigned ScalarWords = 4096,  // powers of two
  parameter int unsigned VectorRows  = 1024,
  parameter int unsigned BiasRows    = 512
) (
  // One clock; each of its names stops by itself in simulation, see clock_gate. Control is what
  // changes once for each descriptor.
  input  wire logic                  clk_i,          // the second half
  input  wire logic                  request_clk_i,  // the first
  input  wire logic                  control_clk_i,
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
  output logic                       requesting_o,  // likewise, of requests
  output logic                       control_active_o,
  output logic [31:0]                index_o,  // of the oldest one, when not idle
  output logic [7:0]                 opcode_o,
  output specbp_pkg::fault_t         fault_o,

  output logic                       read_valid_o,
  input  wire logic                  read_ready_i,
  output specbp_pkg::read_command_t  read_o,
  input  wire logic                  data_valid_i,
  output logic                       data_ready_o,
  input  wire logic [63:0]           data_i,
  input  wire logic [1:0]            data_response_i,

  // The index table.
  output logic                       table_valid_o,
  output specbp_pkg::entry_t         table_address_o,
  input  wire logic [15:0]           table_data_i,

  // A word for one of the buffers, or for the index table: then `write_buffer_o` is the element.
  output logic                       write_valid_o,
  output logic                       write_index_o,
  output logic [1:0]                 write_buffer_o,
  output logic [specbp_pkg::PlaceWidth-1:0] write_place_o,
  output logic [63:0]                write_data_o
);
  import specbp_pkg::*;
  import specbp_codes_pkg::*;

  localparam int unsigned RowBits = 4;  // a run of LOAD_TRANSPOSED is at most 16 words

  // Of each descriptor that has requested, what the second half needs.
  typedef struct packed {
    logic [31:0]      index;
    logic [2:0][15:0] strides;
    logic [2:0][15:0] counts;
    logic [15:0]      run;
    logic [15:0]      base;
    logic [15:0]      fill;
    logic [1:0]       destination;
    numbers_t         signals;
    logic [7:0]       opcode;
  } writes_t;

  // First half: requests.
  move_t       load;
  writes_t     writes_in, writes_next, writes;
  logic [31:0] load_index;
  logic        queue_empty, queue_active, load_valid, load_done, requesting_q;
  logic        fill_in, transposed_in;
  logic        start;
  logic        writes_ready, writes_waiting, writes_start, writes_done, transposed_q;
  logic        writes_valid_q, writes_loaded_q;
  logic        walk_here, walk_step, walk_fits, walk_ends;  // over runs
  logic        run_here_q, run_fits_q, run_last_q, run_valid, run_ready, run_taken, burst_last;
  logic        looking_up, joined, unused_requesting, rows_room;
  logic [15:0] requested;
  logic [31:0] walk_address, run_address_q;
  logic [4:0]  burst_beats;
  logic [3:0]  rows_ahead_q;  // requested and not yet written, at most two blocks of four
  logic        block_written;

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
    .head_valid_o(load_valid),
    .head_done_i (load_done),
    .head_o      (load),
    .index_o     (load_index)
  );

  // Runs without a gap between them are requested as one.
  assign joined        = !transposed_in && load.row_stride[15:0] != '0;
  assign requested     = joined ? load.row_stride[15:0] : load.run;
  assign fill_in       = load.order.opcode == OpcodeFill;
  assign transposed_in = load.order.opcode == OpcodeLoadTransposed;
  assign request_o     = load_valid && !requesting_q && writes_ready
      && !(transposed_in && transposed_q);
  assign waits_o       = waits_of(load.order);
  assign start         = grant_i;
  assign load_done     = fill_in ? start : run_taken && run_last_q;

  always_ff @(posedge control_clk_i) begin
    if (!rst_ni || abort_i) requesting_q <= 1'b0;
    else if (start && !fill_in) requesting_q <= 1'b1;
    else if (load_done) requesting_q <= 1'b0;
  end

  indexed_walk #(
    .Levels(4)
  ) u_runs (
    .clk_i          (request_clk_i),
    .rst_ni,
    .abort_i,
    .start_i        (start && !fill_in),
    .first_i        (load.address),
    .counts_i       ({load.counts[2:1], joined ? 16'd1 : load.counts[0],
                      transposed_in ? 16'd4 : 16'd1}),
    .strides_i      ({load.memory_strides, load.row_stride}),
    .indexed_i      (load.indexed),
    .table_base_i   (load.table_base),
    .table_valid_o,
    .table_address_o,
    .table_data_i,
    .active_o       (unused_requesting),
    .looking_up_o   (looking_up),
    .valid_o        (walk_here),
    .address_o      (walk_address),
    .fits_o         (walk_fits),
    .last_o         (walk_ends),
    .step_i         (walk_step)
  );

  // The next run, and whether it is inside the window.
  assign walk_step = walk_here && (!run_here_q || run_taken);

  always_ff @(posedge request_clk_i) begin
    if (walk_step) begin
      run_address_q <= walk_address;
      run_last_q    <= walk_ends;
      run_fits_q    <= walk_fits
          && inside_window(walk_address, {13'd0, requested, 3'd0}, window_i);
    end
  end

  always_ff @(posedge request_clk_i) begin
    if (!rst_ni || abort_i) run_here_q <= 1'b0;
    else if (walk_step) run_here_q <= 1'b1;
    else if (run_taken) run_here_q <= 1'b0;
  end

  assign rows_room = !transposed_in || rows_ahead_q < 4'd8;
  assign run_valid = run_here_q && run_fits_q && rows_room;
  assign run_taken = run_valid && run_ready;

  burst_splitter #(
    .CountWidth(16)
  ) u_splitter (
    .clk_i          (request_clk_i),
    .rst_ni,
    .abort_i,
    .cmd_valid_i    (run_valid),
    .cmd_ready_o    (run_ready),
    .cmd_address_i  (run_address_q),
    .cmd_beats_i    (requested),
    .burst_valid_o  (read_valid_o),
    .burst_ready_i  (read_ready_i),
    .burst_address_o(read_o.address),
    .burst_beats_o  (burst_beats),
    .burst_last_o   (burst_last)
  );
  assign read_o.beats = BeatsWidth'(burst_beats);

  // Second half: writes.
  logic                  step, walk_valid, walk_last, fill, transposed, take, staged;
  logic                  block_end;
  logic [PlaceWidth-1:0] place;
  logic [15:0]           run_words;
  logic [3:0][PlaceWidth-1:0] strides;

  assign writes_in = '{
      index: load_index,
      opcode: load.order.opcode,
      signals: signals_of(load.order),
      destination: load.destination,
      fill: load.address[15:0],
      base: load.base,
      run: load.run,
      counts: load.counts,
      strides: load.buffer_strides
  };

  stream_fifo #(
    .Width($bits(writes_t)),
    .Depth(4)
  ) u_writes (
    .clk_i      (control_clk_i),
    .rst_ni,
    .clear_i    (abort_i),
    .in_valid_i (start),
    .in_ready_o (writes_ready),
    .in_data_i  (writes_in),
    .out_valid_o(writes_waiting),
    .out_ready_i(writes_start),
    .out_data_o (writes_next)
  );

  // The walk starts together with its settings.
  assign writes_start = writes_waiting && !writes_valid_q;

  always_ff @(posedge control_clk_i) begin
    if (writes_start) writes <= writes_next;
  end

  always_ff @(posedge control_clk_i) begin
    if (!rst_ni || abort_i) begin
      writes_valid_q  <= 1'b0;
      writes_loaded_q <= 1'b0;
    end else begin
      if (writes_start) writes_valid_q <= 1'b1;
      else if (writes_done) writes_valid_q <= 1'b0;
      writes_loaded_q <= writes_start;
    end
  end

  assign fill       = writes.opcode == OpcodeFill;
  assign transposed = writes.opcode == OpcodeLoadTransposed;
  assign run_words  = transposed ? {writes.run[13:0], 2'd0} : writes.run;
  assign strides[0] = transposed ? PlaceWidth'(Groups) : PlaceWidth'(1);
  for (genvar loop = 0; loop < 3; loop++) begin : g_strides
    assign strides[loop+1] = PlaceWidth'($signed(writes.strides[loop]));
  end

  strided_walk #(
    .AddressWidth(PlaceWidth),
    .Levels      (4)
  ) u_words (
    .clk_i,
    .rst_ni,
    .abort_i,
    .start_i     (writes_loaded_q),
    .first_i     (PlaceWidth'(writes.base)),
    .counts_i    ({writes.counts, run_words}),
    .strides_i   (strides),
    .valid_o     (walk_valid),
    .address_o   (place),
    .last_o      (walk_last),
    .inner_last_o(block_end),
    .step_i      (step)
  );

  assign take        = data_valid_i && data_ready_o;
  assign step        = walk_valid && (fill || (transposed ? staged : data_valid_i));
  assign writes_done = step && walk_last;

  // Staging of LOAD_TRANSPOSED: a bank for each row, two halves of a run each.
  logic [63:0]         bank_word [4];
  logic [RowBits-1:0]  word_q;
  logic [1:0]          row_q;
  logic                half_in_q, half_out_q, row_end, block_in;
  logic [3:0]          rows_expected_q;
  logic [1:0]          blocks_q;
  logic [RowBits+1:0]  x_q;
  logic [63:0]         transposed_word;
  logic                stage;

  assign stage         = take && transposed;
  assign data_ready_o  = walk_valid && !fill && (!transposed || rows_expected_q != '0);
  assign row_end       = stage && word_q == RowBits'(writes.run - 16'd1);
  assign block_in      = row_end && row_q == 2'd3;
  assign staged        = blocks_q != '0;
  assign block_written = step && transposed && block_end;

  for (genvar row = 0; row < 4; row++) begin : g_banks
    logic [63:0] bank_q [2 << RowBits];
    always_ff @(posedge clk_i) begin
      if (stage && row_q == 2'(row)) bank_q[{half_in_q, word_q}] <= data_i;
    end
    assign bank_word[row] = bank_q[{half_out_q, x_q[RowBits+1:2]}];
  end

  for (genvar row = 0; row < 4; row++) begin : g_elements
    assign transposed_word[16*row+:16] = bank_word[row][16*x_q[1:0]+:16];
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni || abort_i) begin
      word_q     <= '0;
      row_q      <= '0;
      half_in_q  <= 1'b0;
      half_out_q <= 1'b0;
      x_q        <= '0;
    end else begin
      if (stage) word_q <= row_end ? '0 : word_q + 1'b1;
      if (row_end) row_q <= row_q + 2'd1;
      if (block_in) half_in_q <= !half_in_q;
      if (block_written) half_out_q <= !half_out_q;
      if (step && transposed) x_q <= block_end ? '0 : x_q + 1'b1;
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni || abort_i) begin
      blocks_q        <= '0;
      rows_ahead_q    <= '0;
      rows_expected_q <= '0;
    end else if (transposed_q || start) begin
      blocks_q <= blocks_q + 2'(block_in) - 2'(block_written);
      rows_ahead_q <= rows_ahead_q + 4'(run_taken && transposed_in)
          - (block_written ? 4'd4 : 4'd0);
      rows_expected_q <= rows_expected_q + 4'(run_taken && transposed_in) - 4'(row_end);
    end
  end

  always_ff @(posedge control_clk_i) begin
    if (!rst_ni || abort_i) transposed_q <= 1'b0;
    else if (start && transposed_in) transposed_q <= 1'b1;
    else if (writes_done && transposed) transposed_q <= 1'b0;
  end

  // The word on its way into a buffer, and the end of a descriptor.
  always_ff @(posedge clk_i) begin
    if (step) begin
      write_index_o  <= writes.opcode == OpcodeLoadIndex;
      write_buffer_o <= writes.destination;
      write_place_o  <= place;
      write_data_o   <= fill ? {4{writes.fill}} : transposed ? transposed_word : data_i;
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni || abort_i) write_valid_o <= 1'b0;
    else write_valid_o <= step;
  end

  always_ff @(posedge control_clk_i) begin
    if (writes_done) signals_o <= writes.signals;
    if (!rst_ni || abort_i) give_o <= 1'b0;
    else give_o <= writes_done;
  end

  // Faults; the second half's descriptor is the older one.
  logic   place_fits, response_bad, place_bad, run_bad;
  fault_t fault_q;

  always_comb begin
    unique case (write_buffer_o)
      BufferScalar: place_fits = write_place_o[PlaceWidth-1:$clog2(ScalarWords)] == '0;
      BufferVector: place_fits = write_place_o[PlaceWidth-1:$clog2(VectorRows*Groups)] == '0;
      default:      place_fits = write_place_o[PlaceWidth-1:$clog2(BiasRows*2)] == '0;
    endcase
    if (write_index_o) place_fits = write_place_o[PlaceWidth-1:$clog2(TableEntries)] == '0;
  end
  assign response_bad = take && data_response_i[1];
  assign place_bad    = write_valid_o && !place_fits;
  assign run_bad      = run_here_q && !run_fits_q;

  always_ff @(posedge control_clk_i) begin
    if (!rst_ni || abort_i) begin
      fault_q <= '0;
    end else if (!fault_q.valid && (response_bad || place_bad || run_bad)) begin
      fault_q <= '{
          valid: 1'b1,
          code: response_bad ? ErrorRead : ErrorRange,
          response: response_bad ? data_response_i : ResponseOkay,
          index: response_bad || place_bad ? writes.index : load_index,
          opcode: response_bad || place_bad ? writes.opcode : load.order.opcode
      };
    end
  end
  assign fault_o = fault_q;

  assign busy_o   = requesting_q || writes_waiting || writes_valid_q || give_o;
  assign active_o = start || (run_taken && transposed_in) || writes_loaded_q || take || step
      || write_valid_o;
  assign requesting_o = start || looking_up || walk_step || run_taken
      || (read_valid_o && read_ready_i);
  assign control_active_o = queue_active || writes_start || writes_loaded_q || writes_done
      || response_bad || place_bad || run_bad;
  assign idle_o   = queue_empty && !busy_o;
  assign index_o  = writes_valid_q ? writes.index : writes_waiting ? writes_next.index : load_index;
  assign opcode_o = writes_valid_q ? writes.opcode
      : writes_waiting ? writes_next.opcode : load.order.opcode;

  logic unused;
  assign unused = ^{burst_last, unused_requesting, load.zero_2, load.zero_9};

endmodule

`default_nettype wire
