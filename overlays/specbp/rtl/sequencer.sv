// Runs a program: takes descriptors in order, hands each to its unit's queue, ends at END or an
// error.
//
// A unit's descriptor is handed over in the cycle in which it is there, if the queue has room. NOP,
// COPY and END wait until all units are idle, and cost 2 cycles beside their own time. END, an
// error and a reset all pass through draining: everything is aborted, and what is under way on the
// bus is completed before `busy_o` falls. An error is reported when it is found, before draining,
// so that a memory that never answers still gives a report; done is reported after it. It does not
// limit how long draining takes: nothing can be done about a bus that never answers.

`default_nettype none

module sequencer #(
  parameter int unsigned Groups = 4
) (
  input  wire logic                    clk_i,
  input  wire logic                    rst_ni,

  input  wire logic                    start_i,
  input  wire logic                    reset_i,
  input  wire logic                    misaligned_i,  // the program, on start
  input  wire logic [31:0]             watchdog_i,  // cycles without progress; 0: no limit
  input  wire specbp_pkg::window_t     window_i,

  output logic                         busy_o,
  output logic                         done_o,
  output logic [3:0]                   error_o,
  output logic [1:0]                   response_o,
  output logic [7:0]                   opcode_o,  // of the descriptor at fault
  output logic [31:0]                  index_o,
  output logic                         started_o,      // pulse
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
  output logic [specbp_pkg::Units-1:0]                    unit_valid_o,
  input  wire logic [specbp_pkg::Units-1:0]               unit_ready_i,
  input  wire logic [specbp_pkg::Units-1:0]               unit_idle_i,
  input  wire logic [specbp_pkg::Units-1:0]               unit_completed_i,  // pulses
  input  wire logic [specbp_pkg::Units-1:0][31:0]         unit_index_i,  // the oldest there
  input  wire logic [specbp_pkg::Units-1:0][7:0]          unit_opcode_i,
  input  wire specbp_pkg::fault_t [specbp_pkg::Units-1:0] unit_fault_i,

  output logic                         copy_valid_o,
  input  wire logic                    copy_ready_i,
  output specbp_pkg::copy_t            copy_o,
  input  wire logic                    copy_done_i,
  output logic                         copying_o,

  input  wire logic                    read_error_valid_i,  // of the COPY
  input  wire logic [1:0]              read_error_response_i,
  input  wire logic                    write_error_valid_i,
  input  wire logic [1:0]              write_error_response_i
);
  import specbp_pkg::*;
  import specbp_codes_pkg::*;

  typedef enum logic [2:0] {StIdle, StFetch, StWait, StCopy, StDrain} state_e;

  state_e           state_q, state_d;
  logic [7:0]       opcode;
  logic [3:0]       decoder_error;
  logic [Units-1:0] unit;
  logic [31:0]      wait_cycles, wait_q, index_q, running_q;
  logic             ending, ending_q, next, late, units_idle, here;
  fault_t           fault;

  descriptor_decoder #(
    .Groups(Groups)
  ) u_decoder (
    .descriptor_i,
    .window_i,
    .opcode_o     (opcode),
    .unit_o       (unit),
    .error_o      (decoder_error),
    .wait_cycles_o(wait_cycles),
    .copy_o
  );

  assign late       = watchdog_i != '0 && running_q >= watchdog_i;
  assign started_o  = state_q == StIdle && start_i && !reset_i;
  assign units_idle = &unit_idle_i;
  assign here       = state_q == StFetch && descriptor_valid_i;

  // What is wrong now, the nearest cause first.
  always_comb begin
    fault = '{
        valid: 1'b1,
        code: ErrorNone,
        response: ResponseOkay,
        index: index_q,
        opcode: descriptor_valid_i ? opcode : '0
    };
    if (started_o) begin
      fault.index  = '0;
      fault.opcode = '0;
      if (misaligned_i) fault.code = ErrorRange;
    end else if (busy_o && state_q != StDrain) begin
      if (state_q == StCopy && read_error_valid_i) begin
        fault.code     = ErrorRead;
        fault.response = read_error_response_i;
      end else if (state_q == StCopy && write_error_valid_i) begin
        fault.code     = ErrorWrite;
        fault.response = write_error_response_i;
      end else if (unit_fault_i[UnitStore].valid) begin
        fault = unit_fault_i[UnitStore];
      end else if (unit_fault_i[UnitCompute].valid) begin
        fault = unit_fault_i[UnitCompute];
      end else if (unit_fault_i[UnitLoad].valid) begin
        fault = unit_fault_i[UnitLoad];
      end else if (here && descriptor_response_i[1]) begin
        fault.code     = ErrorFetch;
        fault.response = descriptor_response_i;
      end else if (here && decoder_error != ErrorNone) begin
        fault.code = decoder_error;
      end else if (state_q == StFetch && exhausted_i) begin
        fault.code = ErrorNoEnd;
      end else if (late) begin
        fault.code = ErrorWatchdog;
        // The oldest descriptor that is not complete.
        for (int number = 0; number < Units; number++) begin
          if (!unit_idle_i[number] && unit_index_i[number] < fault.index) begin
            fault.index  = unit_index_i[number];
            fault.opcode = unit_opcode_i[number];
          end
        end
      end
    end
    fault.valid = fault.code != ErrorNone;
  end

  always_comb begin
    state_d      = state_q;
    next         = 1'b0;
    ending       = 1'b0;
    copy_valid_o = 1'b0;
    unit_valid_o = '0;
    unique case (state_q)
      StIdle: if (started_o) state_d = StFetch;
      StFetch: begin
        if (here && !fault.valid) begin
          if (unit != '0) begin
            unit_valid_o = unit;
            next         = (unit & unit_ready_i) != '0;
          end else if (units_idle) begin
            unique case (opcode)
              OpcodeEnd: begin
                ending  = 1'b1;
                state_d = StDrain;
              end
              OpcodeCopy: begin
                copy_valid_o = 1'b1;
                if (copy_ready_i) state_d = StCopy;
              end
              default: state_d = StWait;  // NOP: the decoder refused all others
            endcase
          end
        end
      end
      StWait: begin
        if (wait_q == '0) begin
          next    = 1'b1;
          state_d = StFetch;
        end
      end
      StCopy: begin
        if (copy_done_i) begin
          next    = 1'b1;
          state_d = StFetch;
        end
      end
      StDrain: if (idle_i) state_d = StIdle;
      default: state_d = StIdle;
    endcase
    if (fault.valid || (reset_i && state_q != StIdle)) state_d = StDrain;
  end

  assign descriptor_ready_o = next;
  assign busy_o             = state_q != StIdle;
  assign abort_o            = state_q == StDrain;
  assign copying_o          = state_q == StCopy;
  assign index_o            = index_q;
  assign error_event_o      = fault.valid;
  assign done_event_o       = ending_q && state_q == StDrain && state_d == StIdle && !reset_i;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) state_q <= StIdle;
    else state_q <= state_d;
  end

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
      if (fault.valid) begin
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
    if (state_q == StFetch) wait_q <= wait_cycles;
    else if (state_q == StWait) wait_q <= wait_q - 32'd1;
    if (started_o || next || unit_completed_i != '0) running_q <= '0;
    else if (busy_o) running_q <= running_q + 32'd1;
  end

endmodule

`default_nettype wire
