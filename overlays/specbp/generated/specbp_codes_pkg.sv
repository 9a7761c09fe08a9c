// Generated from specbp.rdl by `python -m specbp.overlay.registers`; do not edit.

package specbp_codes_pkg;

  // No error.
  localparam logic [3:0] ErrorNone = 4'd0;
  // A descriptor's opcode is unknown.
  localparam logic [3:0] ErrorOpcode = 4'd1;
  // A descriptor's field is out of range, or its memory outside the window.
  localparam logic [3:0] ErrorRange = 4'd2;
  // A data read was answered with an error; RESPONSE says which.
  localparam logic [3:0] ErrorRead = 4'd3;
  // A data write was answered with an error; RESPONSE says which.
  localparam logic [3:0] ErrorWrite = 4'd4;
  // A descriptor could not be fetched; RESPONSE says why.
  localparam logic [3:0] ErrorFetch = 4'd5;
  // A descriptor ran for longer than WATCHDOG allows.
  localparam logic [3:0] ErrorWatchdog = 4'd6;
  // The program's last descriptor is not END.
  localparam logic [3:0] ErrorNoEnd = 4'd7;

  // No bus error.
  localparam logic [1:0] ResponseOkay = 2'd0;
  // Never seen: the overlay makes no exclusive accesses.
  localparam logic [1:0] ResponseExokay = 2'd1;
  // The addressed slave reported an error.
  localparam logic [1:0] ResponseSlverr = 2'd2;
  // No slave answers at the address.
  localparam logic [1:0] ResponseDecerr = 2'd3;

  // Wait for word 1 cycles.
  localparam logic [7:0] OpcodeNop = 8'd0;
  // End of the program.
  localparam logic [7:0] OpcodeEnd = 8'd1;
  // Copy word 3 bytes from address word 1 to address word 2.
  localparam logic [7:0] OpcodeCopy = 8'd2;

endpackage
