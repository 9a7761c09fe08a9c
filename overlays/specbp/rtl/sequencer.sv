// Runs a program: takes descriptors in order, hands each to its unit, ends at END or an error.
//
// A descriptor costs 2 cycles beside its unit's time. One runs at a time. END, an error and a
// reset all pass through draining: everything is aborted, and what is under way on the bus is
// completed before `busy_o` falls. An error is reported when it is found, before draining, so
// that a memory that never answers still gives a report; done is reported after it. It does not
// limit how long draining takes: nothing can be done about a bus that never answers.

`default_nettype none

module sequencer (
  input  wire logic                    clk_i,
  input  wire logic                    rst_ni,

  input  wire logic                    start_i,
  input  wire logic                    reset_i,
  input  wire logic                    misaligned_i,  // the program, on start
  input  wire logic [31:0]             watchdog_i,  // cycles a descriptor may take; 0: no limit
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

  output logic                         copy_valid_o,
  input  wire logic                    copy_ready_i,
  output specbp_pkg::copy_t            copy_o,
  input  wire logic                    copy_done_i,

  input  wire logic                    read_error_valid_i,
  input  wire logic [1:0]              read_error_response_i,
  input  wire logic                    write_error_valid_i,
  input  wire logic [1:0]              write_error_response_i
);
  import specbp_pkg::*;
  import specbp_codes_pkg::*;

  typedef enum logic [2:0] {StIdle, StFetch, StWait, StCopy, StDrain} state_e;

  state_e      state_q, state_d;
  logic [7:0]  opcode;
  logic [3:0]  decoder_error, error_d;
  logic [1:0]  response_d;
  logic [31:0] wait_cycles, wait_q, index_q, running_q;
  logic        ending, ending_q, fail, next, late;

  descriptor_decoder u_decoder (
    .descriptor_i,
    .window_i,
    .opcode_o     (opcode),
    .error_o      (decoder_error),
    .wait_cycles_o(wait_cycles),
    .copy_o
  );

  assign late      = watchdog_i != '0 && running_q >= watchdog_i;
  assign started_o = state_q == StIdle && start_i && !reset_i;

  // What is wrong now, the nearest cause first.
  always_comb begin
    error_d    = ErrorNone;
    response_d = ResponseOkay;
    if (started_o) begin
      if (misaligned_i) error_d = ErrorRange;
    end else if (busy_o && state_q != StDrain) begin
      if (read_error_valid_i) begin
        error_d    = ErrorRead;
        response_d = read_error_response_i;
      end else if (write_error_valid_i) begin
        error_d    = ErrorWrite;
        response_d = write_error_response_i;
      end else if (state_q == StFetch && descriptor_valid_i && descriptor_response_i[1]) begin
        error_d    = ErrorFetch;
        response_d = descriptor_response_i;
      end else if (state_q == StFetch && descriptor_valid_i) begin
        error_d = decoder_error;
      end else if (state_q == StFetch && exhausted_i) begin
        error_d = ErrorNoEnd;
      end
      if (error_d == ErrorNone && late) error_d = ErrorWatchdog;
    end
  end
  assign fail = error_d != ErrorNone;

  always_comb begin
    state_d      = state_q;
    next         = 1'b0;
    ending       = 1'b0;
    copy_valid_o = 1'b0;
    unique case (state_q)
      StIdle: if (started_o) state_d = StFetch;
      StFetch: begin
        if (descriptor_valid_i && !fail) begin
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
    if (fail || (reset_i && state_q != StIdle)) state_d = StDrain;
  end

  assign descriptor_ready_o = next;
  assign busy_o             = state_q != StIdle;
  assign abort_o            = state_q == StDrain;
  assign index_o            = index_q;
  assign error_event_o      = fail;
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
      if (fail) begin
        error_o    <= error_d;
        response_o <= response_d;
        opcode_o   <= descriptor_valid_i && !started_o ? opcode : '0;
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
    if (started_o || next) running_q <= '0;
    else if (busy_o) running_q <= running_q + 32'd1;
  end

endmodule

`default_nettype wire
