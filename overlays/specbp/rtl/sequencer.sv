// Runs a program: takes descriptors in order, hands each to its unit's queue, ends at END or an
// error.
//
// A unit's descriptor is handed over two cycles after it is there, if the queue has room. NOP, COPY,
// SKIP and END wait until all units are idle, and cost 3 cycles beside their own time. A skipped
// descriptor is fetched like any other, and dropped two cycles after it is there. END, an
// error and a reset all pass through draining: everything is aborted, and what is under way on the
// bus is completed before `busy_o` falls. An error is reported when it is found, before draining,
// so that a memory that never answers still gives a report; done is reported after it. What the
// watchdog reports is sought for 4 cycles, and only if nothing moves meanwhile. It does not
// limit how long draining takes: nothing can be done about a bus that never answers.

`default_nettype none

module sequencer #(
  parameter int unsigned Groups = 4
) (
  input  wire logic                    clk_i,
  input  wire logic                    rst_ni,
  output logic                         active_o,  // something changes in this cycle

  input  wire logic                    start_i,
  input  wire logic                    reset_i,
  input  wire logic                    stop_i,         // ends the program without a report
  input  wire logic [15:0]             start_delay_i,  // cycles
  input  wire logic                    misaligned_i,  // the program, on start
  input  wire logic                    late_i,  // no progress for too long
  input  wire specbp_pkg::window_t     window_i,

  output logic                         busy_o,
  output logic                         done_o,
  output logic [3:0]                   error_o,
  output logic [1:0]                   response_o,
  output logic [7:0]                   opcode_o,  // of the descriptor at fault
  output logic [31:0]                  index_o,
  output logic                         started_o,      // pulse
  output logic                         fetch_o,        // pulse: the delay is over
  output logic                         done_event_o,   // pulse
  output logic                         error_event_o,  // pulse

  output logic                         abort_o,
  input  wire logic                    idle_i,  // nothing is under way on the bus

  input  wire logic                    exhausted_i,
  input  wire logic                    descriptor_valid_i,
  output logic                         descriptor_ready_o,
  input  wire specbp_pkg::descriptor_t descriptor_i,
  input  wire logic [1:0]              descriptor_response_i,

  // The units. A descriptor is handed over with `index_o`.
  output logic [specbp_pkg::Units-1:0]      unit_valid_o,
  input  wire logic [specbp_pkg::Units-1:0] unit_ready_i,
  input  wire logic [specbp_pkg::Units-1:0] unit_idle_i,
  input  wire specbp_pkg::fault_t           load_fault_i,
  input  wire specbp_pkg::fault_t           compute_fault_i,
  input  wire specbp_pkg::fault_t           store_fault_i,
  // The oldest descriptor of each unit that is not idle.
  input  wire logic [31:0]                  load_index_i,
  input  wire logic [7:0]                   load_opcode_i,
  input  wire logic [31:0]                  compute_index_i,
  input  wire logic [7:0]                   compute_opcode_i,
  input  wire logic [31:0]                  store_index_i,
  input  wire logic [7:0]                   store_opcode_i,

  // The index table.
  output logic                         table_valid_o,
  output specbp_pkg::entry_t           table_address_o,
  input  wire logic [15:0]             table_data_i,

  output logic                         copy_valid_o,
  input  wire logic                    copy_ready_i,
  output specbp_pkg::copy_t            copy_o,
  input  wire logic                    copy_done_i,
  output logic                         copying_o,

  input  wire logic                    read_error_valid_i,  // of the COPY; looked at a cycle later
  input  wire logic [1:0]              read_error_response_i,
  input  wire logic                    write_error_valid_i,
  input  wire logic [1:0]              write_error_response_i
);
  import specbp_pkg::*;
  import specbp_codes_pkg::*;

  typedef enum logic [2:0] {StIdle, StDelay, StFetch, StWait, StSkip, StCopy, StDrain} state_e;

  state_e           state_q;
  logic [7:0]       opcode, opcode_q;
  logic [3:0]       decoder_error, decoder_error_q;
  logic [Units-1:0] unit, unit_q;
  logic [31:0]      wait_cycles, wait_q, index_q;
  logic             ending, ending_q, next, units_idle, decoded_q, here, fail, valid, alone;
  logic             unit_fault, skips, draining_q;  // in StDrain, for all that looks at it
  skip_t            skip;
  logic [15:0]      left_q;      // descriptors still to skip
  logic             skipping_q;  // whether there are any
  fault_t           fault;

  typedef struct packed {
    logic       valid;
    logic [3:0] code;
    logic [1:0] response;
  } copy_fault_t;

  copy_fault_t copy_fault_q;

  // What the watchdog reports: the oldest descriptor that is not complete, sought unit by unit.
  typedef enum logic [2:0] {LateNot, LateLoad, LateCompute, LateStore, LateKnown} late_e;

  late_e       late_q;
  logic [31:0] oldest_index_q, other_index;
  logic [7:0]  oldest_opcode_q, other_opcode;
  logic        other_valid, late;

  descriptor_decoder #(
    .Groups(Groups)
  ) u_decoder (
    .descriptor_i,
    .window_i,
    .opcode_o     (opcode),
    .unit_o       (unit),
    .error_o      (decoder_error),
    .wait_cycles_o(wait_cycles),
    .skip_o       (skip),
    .copy_o
  );

  // What the decoder says is a register.
  always_ff @(posedge clk_i) begin
    if (!rst_ni || abort_o || next) decoded_q <= 1'b0;
    else if (descriptor_valid_i) decoded_q <= 1'b1;
  end

  always_ff @(posedge clk_i) begin
    if (descriptor_valid_i && !decoded_q) begin
      opcode_q        <= opcode;
      unit_q          <= unit;
      decoder_error_q <= descriptor_response_i[1] ? ErrorFetch : decoder_error;
    end
  end

  assign started_o  = state_q == StIdle && start_i && !reset_i;
  assign units_idle = &unit_idle_i;
  assign here       = state_q == StFetch && decoded_q && !skipping_q;
  assign skips      = skip.above == (table_data_i > skip.limit);
  assign unit_fault = store_fault_i.valid || compute_fault_i.valid || load_fault_i.valid;

  always_comb begin
    fail = 1'b0;
    unique case (state_q)
      StIdle:  fail = started_o && misaligned_i;
      StDrain: fail = 1'b0;
      default: begin
        fail = unit_fault || late || copy_fault_q.valid
            || (here && decoder_error_q != ErrorNone)
            || (state_q == StFetch && exhausted_i);
      end
    endcase
  end

  always_ff @(posedge clk_i) begin
    copy_fault_q <= '{
        valid: rst_ni && state_q == StCopy && (read_error_valid_i || write_error_valid_i),
        code: read_error_valid_i ? ErrorRead : ErrorWrite,
        response: read_error_valid_i ? read_error_response_i : write_error_response_i
    };
  end

  // What is wrong, the nearest cause first; only looked at when something is.
  always_comb begin
    fault = '{
        valid: 1'b1,
        code: ErrorNoEnd,
        response: ResponseOkay,
        index: index_q,
        opcode: decoded_q ? opcode_q : '0
    };
    if (!fail) begin
    end else if (state_q == StIdle) begin
      fault.code   = ErrorRange;
      fault.index  = '0;
      fault.opcode = '0;
    end else if (copy_fault_q.valid) begin
      fault.code     = copy_fault_q.code;
      fault.response = copy_fault_q.response;
    end else if (store_fault_i.valid) begin
      fault = store_fault_i;
    end else if (compute_fault_i.valid) begin
      fault = compute_fault_i;
    end else if (load_fault_i.valid) begin
      fault = load_fault_i;
    end else if (here && decoder_error_q != ErrorNone) begin
      fault.code     = decoder_error_q;
      fault.response = decoder_error_q == ErrorFetch ? descriptor_response_i : ResponseOkay;
    end else if (late) begin
      fault.code   = ErrorWatchdog;
      fault.index  = oldest_index_q;
      fault.opcode = oldest_opcode_q;
    end
  end

  always_comb begin
    unique case (late_q)
      LateCompute: begin
        other_valid  = !unit_idle_i[UnitCompute];
        other_index  = compute_index_i;
        other_opcode = compute_opcode_i;
      end
      LateStore: begin
        other_valid  = !unit_idle_i[UnitStore];
        other_index  = store_index_i;
        other_opcode = store_opcode_i;
      end
      default: begin
        other_valid  = !unit_idle_i[UnitLoad];
        other_index  = load_index_i;
        other_opcode = load_opcode_i;
      end
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (late_q == LateNot) begin
      oldest_index_q  <= index_q;
      oldest_opcode_q <= decoded_q ? opcode_q : '0;
    end else if (other_valid && late_q != LateKnown && other_index < oldest_index_q) begin
      oldest_index_q  <= other_index;
      oldest_opcode_q <= other_opcode;
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni || !late_i || abort_o || state_q == StIdle) begin
      late_q <= LateNot;
    end else begin
      unique case (late_q)
        LateNot:     late_q <= LateLoad;
        LateLoad:    late_q <= LateCompute;
        LateCompute: late_q <= LateStore;
        default:     late_q <= LateKnown;
      endcase
    end
  end
  assign late = late_q == LateKnown && late_i;

  // A unit's descriptor goes to its queue; NOP, COPY, SKIP and END wait until all units are idle.
  assign valid         = here && decoder_error_q == ErrorNone;
  assign alone         = valid && unit_q == '0 && units_idle && !fail;
  assign unit_valid_o  = valid ? unit_q : '0;
  assign ending        = alone && opcode_q == OpcodeEnd;
  assign copy_valid_o  = alone && opcode_q == OpcodeCopy;
  assign table_valid_o = alone && opcode_q == OpcodeSkip;
  assign fetch_o       = (state_q == StIdle && started_o && start_delay_i == '0)
      || (state_q == StDelay && wait_q == '0);

  always_comb begin
    unique case (state_q)
      StFetch: next = (unit_valid_o & unit_ready_i) != '0 || (decoded_q && skipping_q);
      StSkip:  next = 1'b1;
      StWait:  next = wait_q == '0;
      StCopy:  next = copy_done_i;
      default: next = 1'b0;
    endcase
  end

  // The state is written here and not as a next state of its own, which a simulator would work out
  // whenever an input changes.
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      state_q    <= StIdle;
      draining_q <= 1'b0;
    end else if (fail || ((reset_i || stop_i) && state_q != StIdle)) begin
      state_q    <= StDrain;
      draining_q <= 1'b1;
    end else begin
      unique case (state_q)
        StIdle:  if (started_o) state_q <= fetch_o ? StFetch : StDelay;
        StDelay: if (fetch_o) state_q <= StFetch;
        StFetch: begin
          if (alone) begin
            unique case (opcode_q)
              OpcodeEnd: begin
                state_q    <= StDrain;
                draining_q <= 1'b1;
              end
              OpcodeCopy: if (copy_ready_i) state_q <= StCopy;
              OpcodeSkip: state_q <= StSkip;
              default:    state_q <= StWait;  // NOP: the decoder refused all others
            endcase
          end
        end
        StDrain: begin
          if (idle_i) begin
            state_q    <= StIdle;
            draining_q <= 1'b0;
          end
        end
        default: if (next) state_q <= StFetch;
      endcase
    end
  end

  assign table_address_o    = skip.entry;
  assign descriptor_ready_o = next;
  assign busy_o             = state_q != StIdle;
  assign abort_o            = draining_q;
  assign copying_o          = state_q == StCopy;
  assign index_o            = index_q;
  assign error_event_o      = fail;
  assign done_event_o       = ending_q && state_q == StDrain && idle_i && !reset_i && !stop_i;
  assign active_o = start_i || reset_i || stop_i || fail || next || alone
      || (late_i && state_q != StIdle) || late_q != LateNot
      || (descriptor_valid_i && !decoded_q) || read_error_valid_i || write_error_valid_i
      || state_q inside {StDelay, StWait, StSkip, StDrain};

  // What STATUS shows.
  always_ff @(posedge clk_i) begin
    if (!rst_ni || reset_i) begin
      done_o     <= 1'b0;
      error_o    <= ErrorNone;
      response_o <= ResponseOkay;
      opcode_o   <= '0;
      index_q    <= '0;
      ending_q   <= 1'b0;
    end else begin
      if (started_o) begin
        done_o     <= 1'b0;
        error_o    <= ErrorNone;
        response_o <= ResponseOkay;
        opcode_o   <= '0;
        index_q    <= '0;
        ending_q   <= 1'b0;
      end
      if (fail) begin
        error_o    <= fault.code;
        response_o <= fault.response;
        opcode_o   <= fault.opcode;
        index_q    <= fault.index;
      end else if (next) begin
        index_q <= index_q + 32'd1;
      end
      if (ending) ending_q <= 1'b1;
      if (done_event_o) done_o <= 1'b1;
    end
  end

  always_ff @(posedge clk_i) begin
    if (state_q == StIdle) wait_q <= 32'(start_delay_i);
    else if (state_q == StFetch) wait_q <= wait_cycles;
    else if (state_q == StWait || state_q == StDelay) wait_q <= wait_q - 32'd1;
    if (started_o) begin
      skipping_q <= 1'b0;
    end else if (state_q == StSkip && skips) begin
      left_q     <= skip.count;
      skipping_q <= skip.count != '0;
    end else if (state_q == StFetch && next && skipping_q) begin
      left_q     <= left_q - 16'd1;
      skipping_q <= left_q != 16'd1;
    end
  end

  logic unused;
  assign unused = ^{fault.valid, skip.zero};

endmodule

`default_nettype wire
