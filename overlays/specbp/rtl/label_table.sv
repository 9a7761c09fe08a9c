// For each label a valid bit and two counters, accepts and rejects; block RAM.
//
// A gate reads an entry and updates it later; the entry is there from the cycle after the read. While
// no core is busy (`host_i`) the entry of `host_label_i` is there instead, two cycles after it was
// chosen, and the host may set it. Nothing is reset: a host clears all labels before their first
// use. One gate at a time.

`default_nettype none

module label_table (
  input  wire logic       clk_i,

  input  wire logic       read_i,
  input  wire logic [8:0] label_i,
  input  wire specbp_pkg::label_update_e update_i,

  input  wire logic       host_i,
  input  wire logic [8:0] host_label_i,
  input  wire logic       set_valid_i,
  input  wire logic       clear_i,

  output logic            valid_o,
  output logic [31:0]     accepts_o,
  output logic [31:0]     rejects_o
);
  import specbp_pkg::*;

  typedef struct packed {
    logic        valid;
    logic [31:0] rejects;
    logic [31:0] accepts;
  } entry_t;

  entry_t     entry, changed;
  logic       write;
  logic [8:0] address;

  assign address   = host_i ? host_label_i : label_i;
  assign write     = host_i ? set_valid_i || clear_i : update_i != LabelKept;
  assign valid_o   = entry.valid;
  assign accepts_o = entry.accepts;
  assign rejects_o = entry.rejects;

  always_comb begin
    changed         = entry;
    changed.valid   = entry.valid || (host_i ? set_valid_i : update_i == LabelJudged);
    changed.accepts = entry.accepts + 32'(!host_i && update_i == LabelAccepted);
    changed.rejects = entry.rejects + 32'(!host_i && update_i == LabelRejected);
    if (host_i && clear_i) changed = '0;
  end

  buffer_ram #(
    .Width($bits(entry_t)),
    .Depth(512)
  ) u_entries (
    .write_clk_i    (clk_i),
    .write_valid_i  (write),
    .write_address_i(address),
    .write_data_i   (changed),
    .read_clk_i     (clk_i),
    .read_valid_i   (host_i || read_i),
    .read_address_i (address),
    .read_data_o    (entry)
  );

endmodule

`default_nettype wire
