// Types that the modules share. Codes (opcodes, errors) are generated: specbp_codes_pkg.sv.

`default_nettype none

package specbp_pkg;

  // A descriptor is 64 bytes: 16 words of 32 bits, word 0 lowest; see ISA.md.
  localparam int unsigned DescriptorBeats = 8;

  typedef logic [15:0][31:0] descriptor_t;

  typedef struct packed {
    logic [31:0] first;
    logic [31:0] last;
  } window_t;

  // Whether `bytes` (at least 1) at `address` lie in the window.
  function automatic logic inside_window(logic [31:0] address, logic [31:0] bytes,
                                         window_t window);
    logic [32:0] last = {1'b0, address} + {1'b0, bytes} - 33'd1;
    return address >= window.first && last <= {1'b0, window.last};
  endfunction

  // Bits of a byte count; a COPY is at most 2^26 bytes.
  localparam int unsigned BytesWidth = 27;
  localparam int unsigned BeatsWidth = 24;

  typedef struct packed {
    logic [31:0]           source;
    logic [31:0]           destination;
    logic [BytesWidth-1:0] bytes;
  } copy_t;

  typedef struct packed {
    logic [31:0] address;
    logic [BeatsWidth-1:0] beats;
  } read_command_t;

  // The units that have a queue of their own.
  localparam int unsigned Units       = 3;
  localparam int unsigned UnitLoad    = 0;
  localparam int unsigned UnitCompute = 1;
  localparam int unsigned UnitStore   = 2;

  // Semaphores that a descriptor waits for, or signals; 0 is none.
  typedef struct packed {
    logic [3:0]      shared;  // among the cores
    logic [1:0][3:0] own;     // the core's
  } numbers_t;

  // Word 0 of a unit's descriptor.
  typedef struct packed {
    logic [3:0]      shared_signal;
    logic [3:0]      shared_wait;
    logic [1:0][3:0] signals;
    logic [1:0][3:0] waits;
    logic [7:0]      opcode;
  } order_t;

  function automatic numbers_t waits_of(order_t order);
    return '{shared: order.shared_wait, own: order.waits};
  endfunction

  function automatic numbers_t signals_of(order_t order);
    return '{shared: order.shared_signal, own: order.signals};
  endfunction

  // What is left of a descriptor while its work is under way.
  typedef struct packed {
    logic [31:0] index;
    logic [7:0]  opcode;
    numbers_t    signals;
  } tag_t;

  // What is wrong, with which descriptor.
  typedef struct packed {
    logic        valid;
    logic [3:0]  code;
    logic [1:0]  response;
    logic [31:0] index;
    logic [7:0]  opcode;
  } fault_t;

  // Addresses in a buffer: wide enough for one stride beyond any buffer, either way.
  localparam int unsigned PlaceWidth = 18;

  typedef enum logic [1:0] {
    BufferScalar = 2'd0,
    BufferVector = 2'd1,
    BufferBias   = 2'd2
  } buffer_e;

  // The index table: int16, of which descriptors take slots of memory and counts.
  localparam int unsigned TableEntries = 1024;
  typedef logic [$clog2(TableEntries)-1:0] entry_t;

  // SKIP.
  typedef struct packed {
    logic [15:0] limit;
    logic        above;
    logic [4:0]  zero;
    entry_t      entry;
    logic [15:0] count;
  } skip_t;

  // What a gate does to the entry of a label.
  typedef enum logic [1:0] {
    LabelKept     = 2'd0,
    LabelAccepted = 2'd1,
    LabelRejected = 2'd2,
    LabelJudged   = 2'd3   // the label is valid from now on
  } label_update_e;

  // LOAD, FILL, LOAD_TRANSPOSED, LOAD_INDEX, STORE: words 10:0.
  typedef struct packed {
    logic [31:0]      row_stride;      // word 10; of LOAD the words requested at once, or 0
    logic             indexed;         // dimension 2, through the index table
    logic [4:0]       zero_9;
    logic [9:0]       table_base;
    logic [2:0][15:0] buffer_strides;  // words 9, 8
    logic [2:0][31:0] memory_strides;  // words 7 to 5
    logic [2:0][15:0] counts;          // words 4, 3
    logic [15:0]      run;
    logic [13:0]      zero_2;
    logic [1:0]       destination;     // a buffer_e; LOAD_INDEX: an element
    logic [15:0]      base;            // word 2
    logic [31:0]      address;         // word 1
    order_t           order;           // word 0
  } move_t;

  localparam int unsigned MoveWords = 11;

  // A loop of the compute unit; `count` is less 1.
  typedef struct packed {
    logic signed [11:0] t_jump;
    logic signed [19:0] b_jump;
    logic signed [19:0] a_jump;
    logic [11:0]        count;
  } loop_t;

  localparam int unsigned Loops = 6;

  // The compute unit's descriptors.
  typedef struct packed {
    loop_t [Loops-1:0] loops;  // words 15 to 4
    logic [2:0][31:0]  words;  // words 3 to 1
    order_t            order;  // word 0
  } compute_t;

  // Sums have 48 bits, and leave the lanes in fours.
  localparam int unsigned SumWidth = 48;
  typedef logic signed [SumWidth-1:0] sum_t;
  typedef sum_t sums_t [4];

  // Addresses of the compute unit: one jump beyond any buffer, either way.
  localparam int unsigned IndexWidth = 21;
  typedef logic signed [IndexWidth-1:0] index_t;

  // Where results go, one after another; one beyond any buffer fits.
  localparam int unsigned ResultWidth = 17;
  typedef logic [ResultWidth-1:0] result_t;

  // How four sums become results.
  typedef enum logic [1:0] {
    ResultInt16 = 2'd0,
    ResultInt32 = 2'd1,
    ResultSums  = 2'd2,
    ResultRaw   = 2'd3   // the low 16 bits, not rounded, not saturated
  } result_e;

  typedef enum logic [1:0] {
    AddendNone    = 2'd0,
    AddendBias    = 2'd1,
    AddendPartial = 2'd2,
    AddendElement = 2'd3  // what the element-wise unit found
  } addend_e;

endpackage

`default_nettype wire
