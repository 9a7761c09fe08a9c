# The block design: processing system, overlay, interrupt controller, interconnect, one clock.
#
# Takes the dictionary `settings` (see build.tcl).

proc create_design {settings} {
    create_bd_design [dict get $settings design]
    set ps [create_bd_cell -type ip -vlnv xilinx.com:ip:processing_system7:5.5 ps7_0]
    configure_processing_system $settings $ps
    set overlay [create_bd_cell -type ip -vlnv [dict get $settings vlnv] \
        [dict get $settings instance]]
    foreach {name value} [dict get $settings parameters] {
        set_property CONFIG.$name $value $overlay
    }
    set interrupts [create_bd_cell -type ip -vlnv xilinx.com:ip:axi_intc:4.1 axi_intc_0]
    set_property CONFIG.C_IRQ_CONNECTION 1 $interrupts
    create_bd_cell -type ip -vlnv xilinx.com:ip:proc_sys_reset:5.0 reset_0

    connect_clock_and_reset $settings
    connect_control $settings
    connect_memory $settings
    connect_bd_net [get_bd_pins [dict get $settings instance]/[dict get $settings interrupt_pin]] \
        [get_bd_pins axi_intc_0/intr]
    connect_bd_net [get_bd_pins axi_intc_0/irq] [get_bd_pins ps7_0/IRQ_F2P]
    assign_addresses $settings
    validate_bd_design
    save_bd_design
}

# The board's preset knows its DDR; where the board files are not installed, DDR is set by hand.
proc configure_processing_system {settings ps} {
    set board_part [dict get $settings board_part]
    set preset 0
    if {[llength [get_board_parts -quiet $board_part]] > 0} {
        set_property board_part $board_part [current_project]
        set preset 1
    }
    apply_bd_automation -rule xilinx.com:bd_rule:processing_system7 -config \
        [list make_external "FIXED_IO, DDR" apply_board_preset $preset Master Disable Slave Disable] \
        $ps
    if {!$preset} {
        foreach {name value} [dict get $settings ddr] {
            set_property CONFIG.$name $value $ps
        }
    }
    lassign [dict get $settings clock_divisors] first second
    set_property -dict [list \
        CONFIG.PCW_EN_CLK0_PORT 1 \
        CONFIG.PCW_FPGA_FCLK0_ENABLE 1 \
        CONFIG.PCW_FCLK0_PERIPHERAL_CLKSRC {IO PLL} \
        CONFIG.PCW_FPGA0_PERIPHERAL_FREQMHZ [dict get $settings clock_mhz] \
        CONFIG.PCW_FCLK0_PERIPHERAL_DIVISOR0 $first \
        CONFIG.PCW_FCLK0_PERIPHERAL_DIVISOR1 $second \
        CONFIG.PCW_USE_M_AXI_GP0 1 \
        CONFIG.PCW_USE_FABRIC_INTERRUPT 1 \
        CONFIG.PCW_IRQ_F2P_INTR 1] $ps
    foreach connection [dict get $settings memory_connections] {
        lassign $connection port target
        set_property CONFIG.PCW_USE_$target 1 $ps
        set_property CONFIG.PCW_${target}_DATA_WIDTH 64 $ps
    }
}

proc connect_clock_and_reset {settings} {
    set instance [dict get $settings instance]
    set clock [get_bd_pins ps7_0/FCLK_CLK0]
    set pins [list $instance/[dict get $settings clock_pin] axi_intc_0/s_axi_aclk \
        reset_0/slowest_sync_clk ps7_0/M_AXI_GP0_ACLK]
    foreach connection [dict get $settings memory_connections] {
        lassign $connection port target
        lappend pins ps7_0/${target}_ACLK
    }
    foreach pin $pins {
        connect_bd_net $clock [get_bd_pins $pin]
    }
    connect_bd_net [get_bd_pins ps7_0/FCLK_RESET0_N] [get_bd_pins reset_0/ext_reset_in]
    foreach pin [list $instance/[dict get $settings reset_pin] axi_intc_0/s_axi_aresetn] {
        connect_bd_net [get_bd_pins reset_0/peripheral_aresetn] [get_bd_pins $pin]
    }
}

proc new_interconnect {name masters} {
    create_bd_cell -type ip -vlnv xilinx.com:ip:smartconnect:1.0 $name
    set_property -dict [list CONFIG.NUM_SI 1 CONFIG.NUM_MI $masters] [get_bd_cells $name]
    connect_bd_net [get_bd_pins ps7_0/FCLK_CLK0] [get_bd_pins $name/aclk]
    connect_bd_net [get_bd_pins reset_0/interconnect_aresetn] [get_bd_pins $name/aresetn]
}

proc connect_control {settings} {
    set instance [dict get $settings instance]
    new_interconnect control_0 2
    connect_bd_intf_net [get_bd_intf_pins ps7_0/M_AXI_GP0] [get_bd_intf_pins control_0/S00_AXI]
    connect_bd_intf_net [get_bd_intf_pins control_0/M00_AXI] \
        [get_bd_intf_pins $instance/[dict get $settings control_port]]
    connect_bd_intf_net [get_bd_intf_pins control_0/M01_AXI] [get_bd_intf_pins axi_intc_0/s_axi]
}

# Each memory port of the overlay has an HP port of its own; smartconnect turns AXI4 into AXI3.
proc connect_memory {settings} {
    set instance [dict get $settings instance]
    set number 0
    foreach connection [dict get $settings memory_connections] {
        lassign $connection port target
        new_interconnect memory_$number 1
        connect_bd_intf_net [get_bd_intf_pins $instance/$port] \
            [get_bd_intf_pins memory_$number/S00_AXI]
        connect_bd_intf_net [get_bd_intf_pins memory_$number/M00_AXI] \
            [get_bd_intf_pins ps7_0/$target]
        incr number
    }
}

proc assign_addresses {settings} {
    set instance [dict get $settings instance]
    set control [dict get $settings control_port]
    assign_bd_address -offset [dict get $settings base] -range [dict get $settings span] \
        -target_address_space [get_bd_addr_spaces ps7_0/Data] \
        [get_bd_addr_segs $instance/$control/Reg]
    assign_bd_address -offset [dict get $settings controller_base] \
        -range [dict get $settings controller_span] \
        -target_address_space [get_bd_addr_spaces ps7_0/Data] \
        [get_bd_addr_segs axi_intc_0/S_AXI/Reg]
    foreach connection [dict get $settings memory_connections] {
        lassign $connection port target
        set number [string index $target end]
        assign_bd_address -offset 0x00000000 -range 512M \
            -target_address_space [get_bd_addr_spaces $instance/$port] \
            [get_bd_addr_segs ps7_0/$target/HP${number}_DDR_LOWOCM]
    }
}
