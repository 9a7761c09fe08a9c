# The block design: processing system, overlay, interrupt controller, interconnect, one clock.
#
# Takes the dictionary `settings` (see build.tcl). What differs between the processing systems of
# Zynq-7000 and Zynq UltraScale+ - names of pins, parameters, ranges of addresses - comes with it.

proc create_design {settings} {
    create_bd_design [dict get $settings design]
    set name [dict get $settings ps]
    set ps [create_bd_cell -type ip -vlnv [newest_ip [dict get $settings ps_vlnv]] $name]
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
    connect_bd_net [get_bd_pins axi_intc_0/irq] [ps_pin $settings ps_interrupt_pin]
    assign_addresses $settings
    validate_bd_design
    save_bd_design
}

# An IP whose version is * is taken as this Vivado has it.
proc newest_ip {vlnv} {
    if {[string index $vlnv end] ne "*"} {
        return $vlnv
    }
    return [get_property VLNV [get_ipdefs $vlnv]]
}

proc ps_pin {settings name} {
    return [get_bd_pins [dict get $settings ps]/[dict get $settings $name]]
}

# The board's preset knows its DDR; where the board files are not installed, DDR is set by hand.
proc configure_processing_system {settings ps} {
    set board_part [dict get $settings board_part]
    set preset 0
    if {[llength [get_board_parts -quiet $board_part]] > 0} {
        set_property board_part $board_part [current_project]
        set preset 1
    }
    set rule [dict get $settings ps_rule]
    set config [list apply_board_preset $preset]
    if {[string match *processing_system7 $rule]} {
        # Pins that only this system has outside of its package's own.
        set config [list make_external "FIXED_IO, DDR" {*}$config Master Disable Slave Disable]
    }
    apply_bd_automation -rule $rule -config $config $ps
    if {!$preset} {
        foreach {name value} [dict get $settings ddr] {
            set_property CONFIG.$name $value $ps
        }
    }
    set properties {}
    foreach {name value} [dict get $settings ps_properties] {
        lappend properties CONFIG.$name $value
    }
    set_property -dict $properties $ps
}

proc connect_clock_and_reset {settings} {
    set ps [dict get $settings ps]
    set instance [dict get $settings instance]
    set pins [list $instance/[dict get $settings clock_pin] axi_intc_0/s_axi_aclk \
        reset_0/slowest_sync_clk $ps/[dict get $settings ps_control_clock]]
    foreach connection [dict get $settings memory_connections] {
        lassign $connection port target clock segment
        lappend pins $ps/$clock
    }
    foreach pin $pins {
        connect_bd_net [ps_pin $settings ps_clock_pin] [get_bd_pins $pin]
    }
    connect_bd_net [ps_pin $settings ps_reset_pin] [get_bd_pins reset_0/ext_reset_in]
    foreach pin [list $instance/[dict get $settings reset_pin] axi_intc_0/s_axi_aresetn] {
        connect_bd_net [get_bd_pins reset_0/peripheral_aresetn] [get_bd_pins $pin]
    }
}

proc new_interconnect {settings name masters} {
    create_bd_cell -type ip -vlnv xilinx.com:ip:smartconnect:1.0 $name
    set_property -dict [list CONFIG.NUM_SI 1 CONFIG.NUM_MI $masters] [get_bd_cells $name]
    connect_bd_net [ps_pin $settings ps_clock_pin] [get_bd_pins $name/aclk]
    connect_bd_net [get_bd_pins reset_0/interconnect_aresetn] [get_bd_pins $name/aresetn]
}

proc connect_control {settings} {
    set instance [dict get $settings instance]
    new_interconnect $settings control_0 2
    connect_bd_intf_net \
        [get_bd_intf_pins [dict get $settings ps]/[dict get $settings ps_control_port]] \
        [get_bd_intf_pins control_0/S00_AXI]
    connect_bd_intf_net [get_bd_intf_pins control_0/M00_AXI] \
        [get_bd_intf_pins $instance/[dict get $settings control_port]]
    connect_bd_intf_net [get_bd_intf_pins control_0/M01_AXI] [get_bd_intf_pins axi_intc_0/s_axi]
}

# Each memory port of the overlay has a port of the processing system of its own; smartconnect
# turns AXI4 into what that one speaks.
proc connect_memory {settings} {
    set instance [dict get $settings instance]
    set number 0
    foreach connection [dict get $settings memory_connections] {
        lassign $connection port target clock segment
        new_interconnect $settings memory_$number 1
        connect_bd_intf_net [get_bd_intf_pins $instance/$port] \
            [get_bd_intf_pins memory_$number/S00_AXI]
        connect_bd_intf_net [get_bd_intf_pins memory_$number/M00_AXI] \
            [get_bd_intf_pins [dict get $settings ps]/$target]
        incr number
    }
}

proc assign_addresses {settings} {
    set ps [dict get $settings ps]
    set instance [dict get $settings instance]
    set control [dict get $settings control_port]
    assign_bd_address -offset [dict get $settings base] -range [dict get $settings span] \
        -target_address_space [get_bd_addr_spaces $ps/Data] \
        [get_bd_addr_segs $instance/$control/Reg]
    assign_bd_address -offset [dict get $settings controller_base] \
        -range [dict get $settings controller_span] \
        -target_address_space [get_bd_addr_spaces $ps/Data] \
        [get_bd_addr_segs axi_intc_0/S_AXI/Reg]
    foreach connection [dict get $settings memory_connections] {
        lassign $connection port target clock segment
        assign_bd_address -offset 0x00000000 -range [dict get $settings memory_bytes] \
            -target_address_space [get_bd_addr_spaces $instance/$port] \
            [get_bd_addr_segs $ps/$segment]
    }
}
