// Lets several clients share one read engine, a command at a time, in turn.
//
// Each client's commands wait in two registers of its own, so that nothing of one client reaches
// another, or the engine, within a cycle. Latency: a cycle. Data come back to the client whose
// command it was, in the order of the commands. At most `Depth` commands are under way. A client
// that does not take its data holds up all others: clients ask only for what they have room for,
// or drain without waiting for another client.

`default_nettype none

module read_arbiter #(
  parameter int unsigned Clients = 2,
  parameter int unsigned Depth   = 4  // a power of two
) (
  input  wire logic                                      clk_i,
  input  wire logic                                      rst_ni,
  // Forgets which clients wait for data; the engine throws the data away.
  input  wire logic                                      abort_i,

  input  wire logic [Clients-1:0]                        cmd_valid_i,
  output logic [Clients-1:0]                             cmd_ready_o,
  input  wire specbp_pkg::read_command_t                 cmd_i [Clients],
  output logic [Clients-1:0]                             data_valid_o,
  input  wire logic [Clients-1:0]                        data_ready_i,

  output logic                                           active_o,  // something may change
  output logic                                           engine_cmd_valid_o,
  input  wire logic                                      engine_cmd_ready_i,
  output specbp_pkg::read_command_t                      engine_cmd_o,
  input  wire logic                                      engine_data_valid_i,
  output logic                                           engine_data_ready_o,
  input  wire logic                                      engine_data_last_i
);

  localparam int unsigned ClientWidth = Clients > 1 ? $clog2(Clients) : 1;

  logic [ClientWidth-1:0]      next_q, chosen;
  logic [ClientWidth-1:0]      next_owner, owner_q;
  logic                        next_owned, owned_q, ended, move, route_ready, granted;
  logic [Clients-1:0]          waiting, accepted, taken;
  specbp_pkg::read_command_t   command [Clients];

  for (genvar client = 0; client < Clients; client++) begin : g_waiting
    stream_fifo #(
      .Width($bits(specbp_pkg::read_command_t)),
      .Depth(2)
    ) u_commands (
      .clk_i,
      .rst_ni,
      .clear_i    (abort_i),
      .in_valid_i (accepted[client]),
      .in_ready_o (cmd_ready_o[client]),
      .in_data_i  (cmd_i[client]),
      .out_valid_o(waiting[client]),
      .out_ready_i(taken[client]),
      .out_data_o (command[client])
    );
  end
  assign accepted = cmd_valid_i & cmd_ready_o;
  assign active_o = accepted != '0 || granted || move;

  // The first client with a command, from `next_q` on.
  always_comb begin
    chosen = next_q;
    for (int unsigned offset = Clients; offset > 0; offset--) begin
      if (waiting[ClientWidth'((32'(next_q) + offset - 1) % Clients)]) begin
        chosen = ClientWidth'((32'(next_q) + offset - 1) % Clients);
      end
    end
  end

  assign engine_cmd_valid_o = waiting != '0 && route_ready && !abort_i;
  always_comb begin
    engine_cmd_o = command[0];
    for (int unsigned client = 1; client < Clients; client++) begin
      if (chosen == ClientWidth'(client)) engine_cmd_o = command[client];
    end
  end
  assign granted = engine_cmd_valid_o && engine_cmd_ready_i;

  always_comb begin
    taken         = '0;
    taken[chosen] = granted;
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) next_q <= '0;
    else if (granted) next_q <= ClientWidth'((32'(chosen) + 1) % Clients);
  end

  stream_fifo #(
    .Width(ClientWidth),
    .Depth(Depth)
  ) u_route (
    .clk_i,
    .rst_ni,
    .clear_i    (abort_i),
    .in_valid_i (granted),
    .in_ready_o (route_ready),
    .in_data_i  (chosen),
    .out_valid_o(next_owned),
    .out_ready_i(move),
    .out_data_o (next_owner)
  );

  // Whose data come is known before they do: they are a memory's latency away.
  assign ended = engine_data_valid_i && engine_data_ready_o && engine_data_last_i;
  assign move  = next_owned && (!owned_q || ended);

  always_ff @(posedge clk_i) begin
    if (move) owner_q <= next_owner;
    if (!rst_ni || abort_i) owned_q <= 1'b0;
    else if (move) owned_q <= 1'b1;
    else if (ended) owned_q <= 1'b0;
  end

  always_comb begin
    data_valid_o          = '0;
    data_valid_o[owner_q] = engine_data_valid_i && owned_q;
  end
  assign engine_data_ready_o = owned_q && data_ready_i[owner_q];

endmodule

`default_nettype wire
